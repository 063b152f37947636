//! What the folder of a model says beyond its encoder, and what of it applies to a run: how texts begin,
//! where they are cut, what is made of them.

use std::path::Path;

use strata_bert::{Checkpoint, Modules, Overflow, Pooling, Sentence};

use crate::Error;
use crate::error::Refusal;
use crate::job::settings::Settings;

/// Opens the model in `folder`, with its modules if sentences are asked for, and puts what they say of
/// texts into the settings. Also what the user might not expect of that.
///
/// # Errors
/// The model cannot be opened or its modules not be honoured; options that do not go together.
pub fn open(settings: &mut Settings, folder: &Path) -> Result<(Checkpoint, Vec<String>), Error> {
    check_options(settings)?;
    let is_asked = is_asked(settings);
    let modules = (is_asked || settings.prompt.is_some()).then(|| Modules::read(folder)).transpose()?;
    let encoder = modules.as_ref().filter(|_| is_asked).map_or(folder, Modules::encoder);
    let checkpoint = match settings.random_weights {
        Some(seed) => Checkpoint::with_random_weights(encoder, seed)?,
        None => Checkpoint::open(encoder)?,
    };
    let mut remarks = Vec::new();
    settle_prefix(settings, modules.as_ref(), &mut remarks)?;
    let Some(modules) = modules.filter(|_| is_asked) else { return Ok((checkpoint, remarks)) };
    settings.tokenizer.lower_case = modules.lower_case();
    settle_length(settings, &modules, &checkpoint, &mut remarks);
    if let Some(usual) = modules.usual_pooling() {
        // What the cache lacks, the model itself may have.
        let fetch = match settings.model.is_dir() {
            true => String::new(),
            false => format!(" (`strata fetch {}` brings one if there is one)", settings.model.display()),
        };
        remarks.push(format!(
            "{} holds no modules.json: sentence_embedding is {usual}, as sentence-transformers has it then{fetch}",
            folder.display()
        ));
    }
    if let (None, Some(values)) = (settings.truncate_dim, modules.truncate_dim()) {
        remarks.push(format!(
            "sentence_embedding has at most {values} values, as the model's folder says; --truncate-dim says otherwise"
        ));
    }
    // How many tokens the prefix has is known once there is a tokenizer.
    let truncate_dim = settings.truncate_dim;
    settings.features.sentence = Some(Sentence { modules: modules.clone(), prefix_tokens: 0, truncate_dim });
    Ok((checkpoint.with_modules(modules), remarks))
}

fn is_asked(settings: &Settings) -> bool {
    settings.features.pooling.contains(&Pooling::Sentence)
}

fn check_options(settings: &Settings) -> Result<(), Refusal> {
    if is_asked(settings) && matches!(settings.tokenizer.overflow, Overflow::Window { .. }) {
        return Err(Refusal::usage("--overflow window does not go with --pooling sentence".to_owned())
            .hint("sentence-transformers cuts long texts; leave --overflow out, or say --overflow error"));
    }
    if settings.truncate_dim.is_some() && !is_asked(settings) {
        return Err(Refusal::usage("--truncate-dim does not go without --pooling sentence".to_owned())
            .hint("it leaves out the end of sentence_embedding alone"));
    }
    Ok(())
}

/// What stands before each text: what the user says, or else what the folder does.
fn settle_prefix(
    settings: &mut Settings,
    modules: Option<&Modules>,
    remarks: &mut Vec<String>,
) -> Result<(), Error> {
    settings.tokenizer.prefix = match (&settings.prefix, &settings.prompt, modules) {
        (Some(prefix), _, _) => prefix.clone(),
        (None, Some(name), Some(modules)) => modules.prompt(name)?.to_owned(),
        (None, None, Some(modules)) => match modules.default_prompt() {
            Some((name, prompt)) => {
                remarks.push(format!(
                    "before each text stands {prompt:?}, the folder's default prompt `{name}`; --prefix '' leaves it out"
                ));
                prompt.to_owned()
            }
            None => String::new(),
        },
        _ => String::new(),
    };
    Ok(())
}

/// Where texts are cut: where the user says, or else where sentence-transformers does.
fn settle_length(
    settings: &mut Settings,
    modules: &Modules,
    checkpoint: &Checkpoint,
    remarks: &mut Vec<String>,
) {
    let (own, most) = (modules.max_length(&checkpoint.config), checkpoint.config.max_tokens());
    let is_bound = checkpoint.config.positions().is_some();
    let takes = if is_bound { "takes" } else { "was made for" };
    match settings.tokenizer.max_length {
        Some(given) if given != own => remarks.push(format!(
            "texts are cut after {given} tokens, as --max-length says, and not after {own} as sentence-transformers does"
        )),
        Some(_) => {}
        None => {
            if own < most {
                remarks.push(format!(
                    "texts are cut after {own} tokens, as sentence-transformers does; the model {takes} {most} (--max-length)"
                ));
            } else if !is_bound && modules.states_no_limit() {
                remarks.push(format!(
                    "texts are cut after {own} tokens, for which the model was made, as sentence-transformers does; it takes more (--max-length)"
                ));
            }
            if let Some(stated) = modules.stated_limit().filter(|&stated| stated > own) {
                remarks.push(format!(
                    "texts are cut after {own} tokens, which is what the model takes, and not after {stated} as its folder says"
                ));
            }
            settings.tokenizer.max_length = Some(own);
        }
    }
}

/// What to say of a run that asks for no sentences, if sentence-transformers would cut its texts earlier
/// than after `most` tokens.
pub fn cut_earlier(
    settings: &Settings,
    folder: &Path,
    checkpoint: &Checkpoint,
    most: usize,
) -> Option<String> {
    if is_asked(settings) || settings.tokenizer.max_length.is_some() {
        return None;
    }
    // What cannot be read does not matter here.
    let modules = Modules::read(folder).ok().filter(|modules| !modules.files().is_empty())?;
    let own = modules.max_length(&checkpoint.config);
    (own < most).then(|| {
        format!("the model sees {most} tokens of a text; sentence-transformers would cut it after {own}, as --max-length {own} does")
    })
}
