//! The tokens that files state beside the vocabulary: which are special, and how they are found in a text.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokenizers::AddedToken;

use crate::text::json::{Json, Object};

pub(crate) const STORED: &str = "tokenizer.json";
pub(crate) const CONFIG: &str = "tokenizer_config.json";
pub(crate) const SPECIAL_TOKENS_MAP: &str = "special_tokens_map.json";
pub(crate) const ADDED_TOKENS: &str = "added_tokens.json";
/// The key of [`CONFIG`] whose writers put all tokens there.
pub(crate) const ADDED_TOKENS_DECODER: &str = "added_tokens_decoder";

/// The roles that special tokens have in every class, in the order in which they get their ids.
const ROLES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
const EXTRA: &str = "extra_special_tokens";
/// What [`EXTRA`] was called before.
const ADDITIONAL: &str = "additional_special_tokens";
const TYPE: &str = "__type";

/// A token as files state it: only its text, or with how it is found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stated {
    Text(String),
    Token(Rules),
}

/// How a token is found in a text; what is not stated follows from whether it is special.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) content: String,
    pub(crate) special: bool,
    pub(crate) single_word: bool,
    pub(crate) lstrip: bool,
    pub(crate) rstrip: bool,
    pub(crate) normalized: Option<bool>,
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.added() == other.added()
    }
}

impl Stated {
    pub(crate) fn content(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Token(rules) => &rules.content,
        }
    }

    /// Gives a text that is stated alone the rules it has in some classes.
    pub(crate) fn or_rules(self, rules: impl FnOnce(String) -> Rules) -> Self {
        match self {
            Self::Text(text) => Self::Token(rules(text)),
            token => token,
        }
    }
}

impl Rules {
    pub(crate) fn of(content: impl Into<String>, special: bool) -> Self {
        let content = content.into();
        Self { content, special, single_word: false, lstrip: false, rstrip: false, normalized: None }
    }

    /// As the tokenizers library has it.
    pub(crate) fn added(&self) -> AddedToken {
        AddedToken::from(self.content.as_str(), self.special)
            .single_word(self.single_word)
            .lstrip(self.lstrip)
            .rstrip(self.rstrip)
            .normalized(self.normalized.unwrap_or(!self.special))
    }

    fn parse(object: &Object) -> Result<Self, String> {
        let flag = |key: &str| match object.get(key) {
            None => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(format!("`{key}` of a token is {other}, expected true or false")),
        };
        let content = object.get("content").and_then(Json::as_str).ok_or("a token has no `content`")?;
        Ok(Self {
            content: content.to_owned(),
            special: flag("special")?.unwrap_or(false),
            single_word: flag("single_word")?.unwrap_or(false),
            lstrip: flag("lstrip")?.unwrap_or(false),
            rstrip: flag("rstrip")?.unwrap_or(false),
            normalized: flag("normalized")?,
        })
    }
}

/// What the files beside the vocabulary say, merged as transformers merges them.
#[derive(Debug, Default)]
pub(crate) struct Stating {
    /// `tokenizer_config.json`, and what `special_tokens_map.json` adds to it.
    pub(crate) object: Object,
    /// Tokens of `extra_special_tokens` where that names each: a role, and a token.
    roles: Vec<(String, Json)>,
    /// Tokens with their ids in the files, which decide about their order alone.
    pub(crate) added: BTreeMap<i64, Rules>,
    /// The same by their texts; of two, the one that was stated last.
    by_content: HashMap<String, Rules>,
}

/// What is wrong with a file of the folder.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) file: &'static str,
    pub(crate) reason: String,
}

pub(crate) fn fault(file: &'static str) -> impl Fn(String) -> Fault {
    move |reason| Fault { file, reason }
}

/// The parsed files that [`Stating::merge`] takes; none where there is no such file.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) config: Option<Object>,
    pub(crate) special_tokens_map: Option<Object>,
    pub(crate) added_tokens: Option<Object>,
    /// `added_tokens` of `tokenizer.json`.
    pub(crate) stored: Option<Vec<Json>>,
}

impl Stating {
    /// # Errors
    /// A file states a token as transformers does not take it.
    pub(crate) fn merge(sources: Sources) -> Result<Self, Fault> {
        let mut object = sources.config.unwrap_or_default();
        if object.get(EXTRA).is_none_or(Json::is_void)
            && let Some(additional) = object.remove(ADDITIONAL)
        {
            object.remove(EXTRA);
            object.insert(EXTRA, additional);
        }
        let own: Vec<(String, Json)> = object
            .iter()
            .filter(|(key, value)| is_own_role(key) && matches!(value, Json::String(_)))
            .map(|(key, value)| (key.to_owned(), value.clone()))
            .collect();
        own.iter().for_each(|(key, _)| drop(object.remove(key)));
        let mut stating = Self { object, roles: own, ..Self::default() };
        stating.take_named();
        match stating.object.remove(ADDED_TOKENS_DECODER) {
            Some(decoder) => stating.add_decoder(&decoder).map_err(fault(CONFIG))?,
            None => stating.add_legacy(sources.special_tokens_map, sources.added_tokens, sources.stored)?,
        }
        Ok(stating)
    }

    fn add(&mut self, id: i64, rules: Rules) {
        self.by_content.insert(rules.content.clone(), rules.clone());
        self.added.insert(id, rules);
    }

    fn add_decoder(&mut self, decoder: &Json) -> Result<(), String> {
        let decoder = decoder.as_object().ok_or_else(|| format!("added_tokens_decoder is {decoder}"))?;
        for (id, token) in decoder.iter() {
            let number = id.parse().map_err(|_| format!("`{id}` of added_tokens_decoder is not an id"))?;
            let rules =
                token.as_object().ok_or_else(|| format!("token {id} of added_tokens_decoder is {token}"))?;
            self.add(number, Rules::parse(rules)?);
        }
        Ok(())
    }

    /// What transformers of before 2023 wrote, which is looked at only without an `added_tokens_decoder`.
    fn add_legacy(
        &mut self,
        special_tokens_map: Option<Object>,
        added_tokens: Option<Object>,
        stored: Option<Vec<Json>>,
    ) -> Result<(), Fault> {
        let mut texts = HashSet::new();
        if let Some(map) = special_tokens_map {
            merge_map(&mut self.object, &map, &mut texts).map_err(fault(SPECIAL_TOKENS_MAP))?;
            self.take_named();
        }
        let roles = ROLES.iter().filter_map(|role| self.object.get(role));
        let extra = match self.object.get(EXTRA) {
            Some(Json::Array(tokens)) => tokens.as_slice(),
            _ => &[],
        };
        texts.extend(roles.chain(extra).filter_map(Json::as_str).map(str::to_owned));
        for (token, id) in added_tokens.iter().flat_map(Object::iter) {
            let Json::Number(id) = id else {
                return Err(fault(ADDED_TOKENS)(format!("the id of `{token}` is {id}")));
            };
            let special = texts.contains(token);
            self.add(*id as i64, Rules { normalized: Some(!special), ..Rules::of(token, special) });
        }
        for token in stored.iter().flatten() {
            let fault = fault(STORED);
            let Some(token) = token.as_object() else {
                return Err(fault(format!("an added token is {token}")));
            };
            let Some(Json::Number(id)) = token.get("id") else {
                return Err(fault("an added token has no id".to_owned()));
            };
            self.add(*id as i64, Rules::parse(token).map_err(fault)?);
        }
        Ok(())
    }

    /// Tokens of [`EXTRA`] that are named are roles, not a list.
    fn take_named(&mut self) {
        if let Some(Json::Object(named)) = self.object.get(EXTRA) {
            self.roles.extend(named.iter().map(|(key, value)| (key.to_owned(), value.clone())));
            self.object.remove(EXTRA);
        }
    }

    /// The token of a role; `default` where no file says anything, none where one says null.
    pub(crate) fn role(&self, role: &str, default: Option<&str>) -> Result<Option<Stated>, String> {
        let stated = match self.object.get(role) {
            Some(value) => stated(value).map_err(|reason| format!("{role} {reason}"))?,
            None => return Ok(default.map(|text| Stated::Text(text.to_owned()))),
        };
        Ok(stated.map(|stated| match self.by_content.get(stated.content()) {
            Some(rules) => Stated::Token(rules.clone()),
            None => stated,
        }))
    }

    /// The tokens of all roles, those of every class as `role` has them.
    pub(crate) fn special(
        &self,
        role: impl Fn(&str) -> Result<Option<Stated>, String>,
    ) -> Result<Vec<Stated>, String> {
        let mut special = Vec::new();
        for name in ROLES {
            special.extend(role(name)?);
        }
        let mut own: Vec<(&str, Stated)> = Vec::new();
        let named = self.roles.iter().map(|(name, value)| (name.as_str(), value));
        for (name, value) in
            self.object.iter().filter(|(name, value)| is_own_role(name) && is_token(value)).chain(named)
        {
            let token = stated(value).map_err(|reason| format!("{name} {reason}"))?;
            match (token, own.iter_mut().find(|(other, _)| *other == name)) {
                (None, _) => return Err(format!("{name} is null, expected a token")),
                (Some(_), _) if ROLES.contains(&name) => return Err(format!("{EXTRA} names {name}")),
                (Some(token), Some((_, old))) => *old = token,
                (Some(token), None) => own.push((name, token)),
            }
        }
        special.extend(own.into_iter().map(|(_, token)| token));
        Ok(special)
    }

    /// Further special tokens: those that files state, else those of a sentencepiece model, else the class's.
    pub(crate) fn extra(&self, pieces: Option<&[Rules]>, class: &[&str]) -> Result<Vec<Stated>, String> {
        let additional = || self.object.get(ADDITIONAL).filter(|list| **list != Json::Null);
        let (key, list) = match (self.object.get(EXTRA), pieces, additional()) {
            (Some(extra), ..) => (EXTRA, extra),
            (None, Some(pieces), _) => return Ok(pieces.iter().cloned().map(Stated::Token).collect()),
            (None, None, Some(additional)) => (ADDITIONAL, additional),
            (None, None, None) => {
                return Ok(class.iter().map(|&text| Stated::Text(text.to_owned())).collect());
            }
        };
        let token = |token: &Json| match stated(token) {
            Ok(Some(token)) => Ok(token),
            Ok(None) => Err(format!("a token of {key} is null")),
            Err(reason) => Err(format!("a token of {key} {reason}")),
        };
        match list {
            Json::Null => Ok(Vec::new()),
            Json::Array(tokens) => tokens.iter().map(token).collect(),
            other => Err(format!("{key} is {other}, expected a list of tokens")),
        }
    }
}

/// Whether a key names a role that only some model has.
fn is_own_role(key: &str) -> bool {
    key.ends_with("_token") && !ROLES.contains(&key)
}

fn is_token(value: &Json) -> bool {
    matches!(value, Json::String(_)) || is_typed(value)
}

fn is_typed(value: &Json) -> bool {
    let kind = value.as_object().and_then(|object| object.get(TYPE));
    kind.and_then(Json::as_str) == Some("AddedToken")
}

/// Puts `special_tokens_map.json` over `tokenizer_config.json`; `texts` gets the tokens that it states with rules.
fn merge_map(object: &mut Object, map: &Object, texts: &mut HashSet<String>) -> Result<(), String> {
    let typed = |value: &Json, texts: &mut HashSet<String>| match value {
        Json::Object(rules) => {
            let mut rules = rules.clone();
            rules.insert(TYPE, Json::String("AddedToken".to_owned()));
            rules.insert("special", Json::Bool(true));
            texts.extend(rules.get("content").and_then(Json::as_str).map(str::to_owned));
            Json::Object(rules)
        }
        other => other.clone(),
    };
    for (key, value) in map.iter() {
        let value = match (key, value) {
            (EXTRA, Json::Array(tokens)) => {
                let mut all = match object.get(EXTRA) {
                    Some(Json::Array(old)) => old.clone(),
                    Some(other) if !other.is_void() => {
                        return Err(format!("{EXTRA} is a list, but was {other}"));
                    }
                    _ => Vec::new(),
                };
                for token in tokens.iter().map(|token| typed(token, texts)) {
                    if !all.contains(&token) {
                        all.push(token);
                    }
                }
                Json::Array(all)
            }
            (EXTRA | ADDITIONAL, value) => value.clone(),
            (key, value) if ROLES.contains(&key) => typed(value, texts),
            // No role: the texts of these do not make a token of `added_tokens.json` special.
            (_, value) => typed(value, &mut HashSet::new()),
        };
        object.insert(key, value);
    }
    Ok(())
}

/// A token as a file states it; none for null.
fn stated(value: &Json) -> Result<Option<Stated>, String> {
    match value {
        Json::Null => Ok(None),
        Json::String(text) => Ok(Some(Stated::Text(text.clone()))),
        Json::Object(rules) if is_typed(value) => Rules::parse(rules).map(Stated::Token).map(Some),
        other => Err(format!("is {other}, expected a token")),
    }
}
