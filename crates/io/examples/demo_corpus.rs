//! Writes a corpus of labelled English sentences to try `strata` and probing classifiers on.
//!
//! ```text
//! cargo run --release -p strata-io --example demo_corpus -- OUT.parquet [ROWS]
//! ```
//!
//! A small grammar makes every sentence, so the labels are exact: `tense`, `subject_number` and
//! `topic`, beside `id`, `text` and `n_words` (words between spaces). Verbs agree with their subject
//! even where a noun of the other number stands between them. The same ROWS give the same file.

use std::collections::HashSet;
use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

const DEFAULT_ROWS: usize = 4000;
/// Far below what the grammar can make, so that drawing until a sentence is new stays quick.
const MOST_ROWS: usize = 1_000_000;

const TENSES: [&str; 3] = ["past", "present", "future"];
const NUMBERS: [&str; 2] = ["singular", "plural"];

/// Words of one topic; lists are separated by `|`.
struct Topic {
    name: &'static str,
    /// Nouns that take a plain s in the plural.
    subjects: &'static str,
    /// Base form, third person singular, past.
    verbs: &'static str,
    objects: &'static str,
    places: &'static str,
}

const TOPICS: [Topic; 6] = [
    Topic {
        name: "cooking",
        subjects: "chef|baker|cook|waiter|butcher",
        verbs: "slice slices sliced|taste tastes tasted|serve serves served|burn burns burned",
        objects: "the smoked salmon|a lemon cake|the roasted peppers|the rye bread|two thick steaks",
        places: "in the kitchen|behind the counter|at the harbour inn|beside the oven",
    },
    Topic {
        name: "sport",
        subjects: "runner|goalkeeper|trainer|swimmer|cyclist",
        verbs: "win wins won|lose loses lost|watch watches watched|enter enters entered",
        objects: "the final match|a friendly game|the regional cup|the second round|a long relay",
        places: "in the stadium|on the wet pitch|across the river|at the old arena",
    },
    Topic {
        name: "science",
        subjects: "chemist|astronomer|biologist|physicist|student",
        verbs: "measure measures measured|study studies studied|repeat repeats repeated",
        objects: "the first results|a careful experiment|the spectrum of the star|the strange signal",
        places: "in the laboratory|at the observatory|near the reactor|in the field station",
    },
    Topic {
        name: "music",
        subjects: "violinist|singer|drummer|composer|pianist",
        verbs: "play plays played|record records recorded|rehearse rehearses rehearsed|hear hears heard",
        objects: "a slow sonata|the opening song|an unfinished symphony|two short waltzes",
        places: "in the concert hall|on the small stage|in the studio|under the bridge",
    },
    Topic {
        name: "travel",
        subjects: "tourist|pilot|hiker|guide|sailor",
        verbs: "visit visits visited|leave leaves left|describe describes described",
        objects: "the northern islands|a mountain village|the crowded port|a quiet border town",
        places: "without much luggage|with a heavy backpack|in silence|after a long flight",
    },
    Topic {
        name: "finance",
        subjects: "banker|investor|trader|auditor|broker",
        verbs: "sell sells sold|buy buys bought|review reviews reviewed|value values valued",
        objects: "the government bonds|a small insurance firm|thirty thousand shares|a risky loan",
        places: "on the exchange|through a foreign bank|at the annual meeting|in the city",
    },
];

/// For each number; `the` fits both and is the most frequent.
const DETERMINERS: [&str; 2] = ["the|the|this|every", "the|the|these|several"];
const ADJECTIVES: &str = "young|tired|famous|patient|local|retired";
/// Other nouns before the verb, of either number.
const ATTRACTORS: &str = "near the window|with the red bags|from the two villages|beside the children";
/// Clauses whose verb takes the tense and number of the subject.
const RELATIVES: [(&str, &str); 3] = [
    ("live lives lived", "next door"),
    ("know knows knew", "the rules by heart"),
    ("arrive arrives arrived", "before the others"),
];
/// For each tense.
const TIMES: [&str; 3] = [
    "yesterday|last week|two years ago|in the spring of 1998|the night before the storm",
    "every day|these days|on most mornings|once a month|whenever it rains",
    "tomorrow|next week|in a few hours|by the end of the year|as soon as the snow melts",
];

/// One sentence with its labels.
#[derive(Clone)]
struct Row {
    text: String,
    tense: &'static str,
    subject_number: &'static str,
    topic: &'static str,
}

/// Rows with characters the grammar never uses: tense, number, topic, text.
const UNUSUAL: &str = "\
past|singular|cooking|Yesterday the pâtissière from Orléans burned the crème brûlée.
present|plural|music|The pianists play Dvořák in São Paulo every summer 🎹.
future|plural|travel|The tourists will photograph 富士山 from the train 📷.
present|singular|sport|The goalkeeper from Łódź wins the cup again ⚽🏆!
past|plural|science|The physicists measured 3.5 µm ± 0.2 µm at 20 °C.
future|singular|finance|The broker will sell 1,000 shares of 日本銀行 for €2.75 each.";

/// SplitMix64 (Steele, Lea, Flood 2014): ample for drawing words, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// An index below `len`, which is small enough for the bias of a remainder not to matter.
    fn index(&mut self, len: usize) -> usize {
        (self.next() % len as u64) as usize
    }

    /// One element of a list separated by `|`.
    fn pick<'a>(&mut self, list: &'a str) -> &'a str {
        let at = self.index(list.split('|').count());
        list.split('|').nth(at).unwrap_or_default()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.index(100) < percent
    }
}

/// `verb` is its base form, third person singular and past, separated by spaces.
fn conjugate(verb: &str, tense: usize, number: usize) -> String {
    let form = |at| verb.split(' ').nth(at).unwrap_or_default();
    match (TENSES[tense], NUMBERS[number]) {
        ("past", _) => form(2).to_owned(),
        ("future", _) => format!("will {}", form(0)),
        (_, "singular") => form(1).to_owned(),
        _ => form(0).to_owned(),
    }
}

fn subject(random: &mut Random, topic: &Topic, tense: usize, number: usize) -> String {
    let mut words = random.pick(DETERMINERS[number]).to_owned();
    if random.chance(40) {
        words = words + " " + random.pick(ADJECTIVES);
    }
    words = words + " " + random.pick(topic.subjects) + ["", "s"][number];
    // One or the other: a clause after another noun would seem to be about that noun.
    match random.index(10) {
        0..3 => words + " " + random.pick(ATTRACTORS),
        3..6 => {
            let (verb, rest) = RELATIVES[random.index(RELATIVES.len())];
            words + " who " + &conjugate(verb, tense, number) + " " + rest
        }
        _ => words,
    }
}

fn sentence(random: &mut Random) -> Row {
    let (tense, number) = (random.index(TENSES.len()), random.index(NUMBERS.len()));
    let topic = &TOPICS[random.index(TOPICS.len())];
    let mut clause = vec![
        subject(random, topic, tense, number),
        conjugate(random.pick(topic.verbs), tense, number),
        random.pick(topic.objects).to_owned(),
    ];
    if random.chance(50) {
        clause.push(random.pick(topic.places).to_owned());
    }
    let mut text = clause.join(" ");
    // A time gives the tense away, so half of the sentences name none.
    if random.chance(50) {
        let time = random.pick(TIMES[tense]);
        text = if random.chance(50) { format!("{time}, {text}") } else { format!("{text} {time}") };
    }
    Row {
        text: format!("{}{}.", text[..1].to_uppercase(), &text[1..]),
        tense: TENSES[tense],
        subject_number: NUMBERS[number],
        topic: topic.name,
    }
}

/// `rows` sentences, no two alike, of which the first are [`UNUSUAL`].
fn corpus(rows: usize) -> Vec<Row> {
    let unusual = UNUSUAL.lines().filter_map(|line| {
        let [tense, subject_number, topic, text] = line.split('|').collect::<Vec<_>>()[..] else {
            return None;
        };
        Some(Row { text: text.to_owned(), tense, subject_number, topic })
    });
    let mut random = Random(2026);
    let mut seen = HashSet::new();
    unusual
        .chain(std::iter::repeat_with(|| sentence(&mut random)))
        .filter(|row| seen.insert(row.text.clone()))
        .take(rows)
        .collect()
}

fn record_batch(rows: &[Row]) -> Result<RecordBatch, Box<dyn Error>> {
    let strings =
        |of: fn(&Row) -> &str| Arc::new(StringArray::from_iter_values(rows.iter().map(of))) as ArrayRef;
    let ids = Int64Array::from_iter_values(0..rows.len() as i64);
    let words = |row: &Row| row.text.split_whitespace().count() as i32;
    let n_words = Int32Array::from_iter_values(rows.iter().map(words));
    Ok(RecordBatch::try_from_iter([
        ("id", Arc::new(ids) as ArrayRef),
        ("text", strings(|row| &row.text)),
        ("tense", strings(|row| row.tense)),
        ("subject_number", strings(|row| row.subject_number)),
        ("n_words", Arc::new(n_words)),
        ("topic", strings(|row| row.topic)),
    ])?)
}

/// Writes beside `path` and renames, so that a corpus is there whole or not at all.
fn write(path: &Path, batch: &RecordBatch) -> Result<(), Box<dyn Error>> {
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    let partial = PathBuf::from(format!("{}.partial", path.display()));
    let mut writer = ArrowWriter::try_new(fs_err::File::create(&partial)?, batch.schema(), None)?;
    writer.write(batch)?;
    writer.into_inner()?.sync_all()?;
    Ok(fs_err::rename(partial, path)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (path, rows) = match arguments.as_slice() {
        [path] => (path, DEFAULT_ROWS),
        [path, rows] => (path, rows.parse().unwrap_or(usize::MAX)),
        _ => return Err("usage: demo_corpus OUT.parquet [ROWS]".into()),
    };
    if rows > MOST_ROWS {
        return Err(format!("ROWS: expected a number up to {MOST_ROWS}").into());
    }
    write(Path::new(path), &record_batch(&corpus(rows))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_and_its_verb_agree_and_the_future_takes_will() {
        let forms = |tense| [0, 1].map(|number| conjugate("slice slices sliced", tense, number));
        assert_eq!(forms(0), ["sliced", "sliced"]);
        assert_eq!(forms(1), ["slices", "slice"]);
        assert_eq!(forms(2), ["will slice", "will slice"]);
    }

    #[test]
    fn sentences_are_distinct_and_every_label_is_common() {
        let rows = corpus(DEFAULT_ROWS);
        let texts: HashSet<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        assert_eq!(texts.len(), DEFAULT_ROWS);
        let unusual = rows.iter().filter(|row| !row.text.is_ascii()).count();
        assert_eq!(unusual, UNUSUAL.lines().count());
        let count = |has: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| has(row)).count();
        for tense in TENSES {
            assert!(count(&|row| row.tense == tense) > DEFAULT_ROWS / 4);
        }
        for topic in &TOPICS {
            assert!(count(&|row| row.topic == topic.name) > DEFAULT_ROWS / 8);
        }
    }
}
