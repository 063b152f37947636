import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from conftest import TEXTS
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator

from strata import Encoder

CHECKS = [
    estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_estimator_tags_renamed,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_mixin_order,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_set_params,
    estimator_checks.check_valid_tag_types,
]


def test_values_stand_side_by_side_and_have_names(tiny):
    encoder = Encoder(tiny, layers=[0, -1])
    values, names = encoder.fit_transform(TEXTS), encoder.get_feature_names_out()
    encoded = encoder.encode(TEXTS)
    assert values.shape == (len(TEXTS), 40) == (len(TEXTS), len(names))
    assert (values[:, 20:] == encoded["layer_4_mean"]).all()
    assert encoder.transform([]).shape == (0, 40)
    assert names[0] == "layer_0_mean_0" and names[-1] == "layer_4_mean_19"


def test_it_stands_before_a_classifier(tiny):
    texts = ["the cat sat"] * 10 + ["hello world"] * 10
    pipeline = make_pipeline(Encoder(tiny), LogisticRegression(max_iter=1000))
    assert cross_val_score(pipeline, np.array(texts), [0] * 10 + [1] * 10, cv=2).min() == 1.0


def test_its_arguments_can_be_searched(tiny):
    texts, labels = np.array(["the cat sat", "hello world"] * 6), [0, 1] * 6
    pipeline = make_pipeline(Encoder(tiny), LogisticRegression(max_iter=1000))
    search = GridSearchCV(pipeline, {"encoder__layers": [0, 2, -1]}, cv=2, error_score="raise").fit(texts, labels)
    assert search.best_score_ == 1.0


def test_a_clone_has_the_same_arguments(tiny):
    encoder = Encoder(tiny, layers=[0, -1], pooling=("mean", "cls"))
    assert clone(encoder).get_params() == encoder.get_params()


@pytest.mark.filterwarnings("ignore:Can't test estimator Encoder")
def test_it_is_what_scikit_learn_expects_of_an_estimator_of_texts(tiny):
    # All that does not make tables of numbers for it, which are no texts.
    results = check_estimator(Encoder(tiny), on_fail="raise")
    assert results


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
def test_what_scikit_learn_checks_without_data_holds(tiny, check):
    check("Encoder", Encoder(tiny))


def test_what_scikit_learn_checks_with_data_holds_of_texts(tiny):
    encoder = Encoder(tiny, layers=[0, -1])
    before = dict(vars(encoder))
    assert encoder.fit(TEXTS) is encoder
    attributes = {name: value for name, value in vars(encoder).items() if not name.startswith("_")}
    assert attributes == {name: value for name, value in before.items() if not name.startswith("_")}
    first = encoder.transform(TEXTS)
    assert vars(encoder).keys() == before.keys(), "transform leaves the estimator as it was"
    assert (encoder.fit(TEXTS).transform(TEXTS) == first).all(), "fit is idempotent"
    assert (encoder.fit_transform(TEXTS) == first).all() and (encoder.fit_transform(TEXTS, y=[0] * 5) == first).all()
    assert (pickle.loads(pickle.dumps(encoder)).transform(TEXTS) == first).all()
    order = [4, 2, 0, 3, 1]
    assert np.allclose(encoder.transform([TEXTS[place] for place in order]), first[order], atol=1e-6)
    assert np.allclose(np.concatenate([encoder.transform([text]) for text in TEXTS]), first, atol=1e-6), "rows are independent"
    for kind in (np.array(TEXTS), np.array(TEXTS, dtype=object), pd.Series(TEXTS), pl.Series(TEXTS)):
        assert (encoder.transform(kind) == first).all(), type(kind)
    with pytest.raises(ValueError):
        encoder.transform(np.ones((3, 2)))


def test_tables_come_out_with_the_names_of_the_values(tiny):
    encoder = Encoder(tiny)
    values, names = encoder.transform(TEXTS), list(encoder.get_feature_names_out())
    frame = encoder.set_output(transform="pandas").transform(pd.Series(TEXTS, index=list("abcde")))
    assert list(frame.columns) == names and list(frame.index) == list("abcde") and (frame.to_numpy() == values).all()
    assert isinstance(clone(encoder).transform(TEXTS), pd.DataFrame)
    assert isinstance(pickle.loads(pickle.dumps(encoder)).transform(TEXTS), pd.DataFrame)
    polars = encoder.set_output(transform="polars").transform(TEXTS)
    assert polars.columns == names and (polars.to_numpy() == values).all()
    assert isinstance(encoder.set_output(transform="default").transform(TEXTS), np.ndarray)
    pipeline = make_pipeline(Encoder(tiny)).set_output(transform="pandas")
    assert isinstance(pipeline.transform(TEXTS), pd.DataFrame)
    with sklearn.config_context(transform_output="polars"):
        assert isinstance(Encoder(tiny).transform(TEXTS), pl.DataFrame)
    with pytest.raises(ValueError, match="'numpy'"):
        encoder.set_output(transform="numpy")


def test_an_unknown_argument_is_told(tiny):
    with pytest.raises(ValueError, match="'layer'"):
        Encoder(tiny).set_params(layer=1)
