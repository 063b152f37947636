import numpy as np
import pytest
from conftest import TEXTS
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import (
    check_estimator_repr,
    check_get_params_invariance,
    check_set_params,
)

from strata import Encoder


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


def test_what_scikit_learn_checks_of_arguments_holds(tiny):
    encoder = Encoder(tiny)
    for check in (check_get_params_invariance, check_set_params, check_estimator_repr):
        check("Encoder", encoder)


def test_an_unknown_argument_is_told(tiny):
    with pytest.raises(ValueError, match="'layer'"):
        Encoder(tiny).set_params(layer=1)
