//! What a user reads before anything is run.

use crate::support::{Sandbox, assert_strata};

#[test]
fn help_names_the_verbs() {
    assert_strata!(Sandbox::new(), "--help", @r"
    success: true
    exit_code: 0
    ----- stdout -----
    Turn a column of text into columns of BERT layer vectors

    Usage: strata [OPTIONS] <COMMAND>

    Commands:
      run          Encode texts and write a folder of parts
      ray          Encode texts by workers on a Ray cluster: a part of the Python package
      inspect      Show what an output folder holds: schema, provenance, counts, a summary of every
                   vector column
      verify       Hold an output folder against its manifest, and encode a sample of its rows again
      probe        Train probes on the columns of an output, and report what each layer knows of a label
      fetch        Fetch a model from the Hugging Face hub into the local cache, for `--model ID`
      completions  Print the script with which a shell completes commands and options
      man          Write the manual pages
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Global options:
          --log-format <FORMAT>  What a line on stderr looks like [default: text] [possible values:
                                 text, json]
      -q, --quiet                Say nothing on stderr but errors
      -v, --verbose              Say step by step what is done
          --color <WHEN>         When lines on stderr and help have colours [default: auto] [possible
                                 values: auto, always, never]

    Environment:
      HF_HOME, HF_HUB_CACHE         where fetched models are [default: ~/.cache/huggingface/hub]
      HF_TOKEN, HF_TOKEN_PATH       who you are to the hub, or the file that says so
      HF_ENDPOINT                   another hub
      HF_HUB_OFFLINE                1 forbids the network
      HF_HUB_DOWNLOAD_TIMEOUT       seconds that the hub may be silent [default: 30]
      HTTPS_PROXY, NO_PROXY         the way to the hub
      SSL_CERT_FILE, SSL_CERT_DIR   whom to trust on it
      AWS_*, GOOGLE_*, AZURE_*      who you are to a store, where it is, and the like
      RAYON_NUM_THREADS             processor threads, where --threads says nothing
      TMPDIR                        where stdin is kept while it is read, and a part of a store's
      NO_COLOR, CLICOLOR_FORCE      colours, where --color says nothing
      STRATA_CPU                    avx512, avx2, portable or none: newer instructions are left alone
      TORCH_ALLOW_TF32_CUBLAS_OVERRIDE
                                    1 lets a GPU multiply float32 in 10 bits of precision
      RUST_BACKTRACE                1 adds to a bug's message where it happened

    ----- stderr -----
    ");
}

#[test]
fn help_of_run_names_every_option_with_its_default() {
    assert_strata!(Sandbox::new(), "run --help", @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    Encode texts and write a folder of parts

    Usage: strata run [OPTIONS] [PIPELINE]

    Arguments:
      [PIPELINE]
              A TOML file with any of the options below; one given here wins over the file

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Input:
          --input <PATH>...
              Files, folders or quoted patterns, or their addresses in a store: Parquet, Arrow IPC, CSV,
              JSON, lines of text; - for stdin, an Arrow IPC stream if --input-format says nothing else

          --input-format <FORMAT>
              What the inputs are, whatever their extension [default: by the extension]
              
              [possible values: parquet, arrow, csv, tsv, jsonl, json, txt]

          --encoding <NAME>
              How CSV, JSON and text files are encoded: utf-8, latin1, utf-16, shift_jis and so on, by
              the names of the web [default: utf-8]

          --text <COLUMN>
              The text column, or a field of a struct as data.text [default: text]

          --text-pair <COLUMN>
              A second text column: the model sees both texts of a row together

          --spans <COLUMN>
              The column of the spans that --unit span is about: structs with start and end, in
              characters, or lists of such; what else they hold is carried along

          --align <COLUMNS>
              Columns of lists with a value for each word of --words, such as labels: each word's row
              gets its own; several separated by commas

          --keep <COLUMNS>
              Input columns to carry through: all, none, or names separated by commas [default: all for
              rows, none for tokens, words and spans]

          --schema <COLUMN=TYPE>...
              Types of columns, in place of those of the file, or those that hold all values of a CSV or
              JSON file: zip=Utf8 'day=Timestamp(ms)' 'words=List(Utf8)', or Json for values of any kind

          --csv-delimiter <C>
              What stands between the fields of CSV and TSV files: a character, or tab [default: comma
              or tab, by the extension]

          --csv-header <WHETHER>
              Whether CSV and TSV files begin with the names of their columns; if not, those are
              column_1, column_2 and so on [default: yes]
              
              [possible values: yes, no]

          --csv-quote <C>
              What stands around fields of CSV and TSV files that hold a delimiter or a line break: a
              character, or none, which takes quotation marks as text [default: "]

          --csv-escape <C>
              What stands in CSV and TSV files before a character that would otherwise divide or end a
              field: a character, such as \, or none [default: none, and a quote within quotes is
              written twice]

          --binary-as-text
              Read binary columns of Parquet files as text where the file does not say what they are;
              the text column always is

          --no-binary-as-text
              Take back what a pipeline file says of --binary-as-text

    Model:
          --model <DIR|ID>
              A Hugging Face checkpoint folder, its address in a store, or the id of a model that
              `strata fetch` has put into the local cache

          --random-weights <SEED>
              Take weights as they are before training, drawn from this seed, and not those of the
              folder

          --device <DEVICE>
              Where it runs: cpu, cuda, cuda:N or flex [default: cpu]

          --compute <TYPE>
              Type of the matrix products; everything else is float32 [default: float32]
              
              [possible values: float32, bfloat16, int8]

    Features:
          --layers <LAYERS>
              Layers by number: 0 is the embedding output, N the Nth encoder layer, -1 the last; or all
              [default: -1]

          --unit <UNIT>
              What one output row stands for [default: row]
              
              [possible values: row, token, word, span]

          --words <WHICH>
              What a word is: tokenizer (what it never joins), whitespace, or a column of lists of words
              [default: tokenizer]

          --pooling <POOLINGS>
              How tokens become one vector: cls, mean, max, min, mean_max, last, pooler, or sentence, as
              the model's sentence-transformers modules have it; of words first, last, mean, max,
              first_last; of spans also endpoints; several separated by commas [default: mean]

          --combine <HOW>
              What becomes of several layers [default: none]
              
              [possible values: none, concat, stack, sum, mean]

          --normalize
              Bring each vector to Euclidean length 1

          --no-normalize
              Take back what a pipeline file says of --normalize

          --attentions
              Add figures of each chosen layer's attention, one a head: entropy, distance, and the
              weight on the first token, on other special ones and on itself; rows only

          --no-attentions
              Take back what a pipeline file says of --attentions

          --truncate-dim <N>
              How many values of sentence_embedding are kept, the first ones [default: what the model's
              folder says, or all]

          --prefix <TEXT>
              A text that stands before each text; rows only [default: for --pooling sentence the
              default prompt of the model's folder]

          --prompt <NAME>
              The same by its name among the prompts of the model's folder

          --special-tokens <WHETHER>
              Whether special tokens count in mean, max and min, or are rows of --unit token [default:
              include]
              
              [possible values: include, exclude]

          --max-length <N>
              The most tokens the model sees at once, special ones counted [default: the model's limit]

          --overflow <WHAT>
              What becomes of longer texts: they are cut, seen through overlapping windows, or end the
              run [default: truncate]
              
              [possible values: truncate, window, error]

          --stride <N>
              Tokens that neighbouring windows share [default: a quarter of a window]

    Output:
          --output <DIR>
              The folder of parts, made if it does not exist, or its address in a store; - for an Arrow
              IPC stream on stdout

          --format <FORMAT>
              Format of the parts [default: parquet]
              
              [possible values: parquet, arrow]

          --dtype <TYPE>
              Stored type of the values [default: float32]
              
              [possible values: float32, float16]

          --on-null <WHAT>
              What becomes of a row without a vector, as its text is null: its vector is null, all of
              its values are not a number, or there is no such row [default: null]
              
              [possible values: null, nan, drop]

          --rows-per-part <N>
              Rows of one part [default: about 64 MiB of vectors]

    Storage:
          --storage-option <KEY=VALUE>
              How stores are reached, where the environment does not say it, by the names that the
              object_store crate has: aws_region=eu-west-1, endpoint=…, allow_http=true,
              retry_timeout=SECONDS; may stand more than once

    Run:
          --max-batch-tokens <N>
              Tokens encoded at a time, by all threads [default: 512 a thread, at least 1024; 32768 on a
              GPU]

          --threads <N>
              Processor threads of the whole process [default: all]

          --shard <I/N>
              Do only every Nth part, beginning with part I (from 0)

          --on-bad-file <WHAT>
              When an input file turns out to be damaged: fail, or skip it and fail at the end [default:
              fail]
              
              [possible values: fail, skip]

          --dry-run
              Say what would be done, and do nothing: rows, parts, bytes, tokens and time from a sample

          --prune
              Remove the parts of input files that are no longer there

          --overwrite
              Start afresh where the output folder holds parts of other settings or another model

          --progress <WHEN>
              When to show progress: bars on a terminal, a plain line every few seconds elsewhere

              Possible values:
              - auto:   Bars where stderr is a terminal, plain lines elsewhere
              - always: Bars
              - never:  Nothing
              
              [default: auto]

          --report <PATH>
              Write the run's figures to this file as JSON

          --metrics-file <PATH>
              Write the run's figures to this file in the Prometheus text format

    Global options:
          --log-format <FORMAT>
              What a line on stderr looks like
              
              [default: text]
              [possible values: text, json]

      -q, --quiet
              Say nothing on stderr but errors

      -v, --verbose
              Say step by step what is done

          --color <WHEN>
              When lines on stderr and help have colours
              
              [default: auto]
              [possible values: auto, always, never]

    ----- stderr -----
    "#);
}

#[test]
fn the_version_is_told_with_what_was_built() {
    let said = String::from_utf8(Sandbox::new().succeed("--version").stdout).unwrap();
    let (first, rest) = said.split_once('\n').unwrap();
    assert_eq!(first, concat!("strata ", env!("CARGO_PKG_VERSION")));
    let told: Vec<(&str, &str)> = rest.lines().map(|line| line.split_once(": ").unwrap()).collect();
    assert_eq!(told.iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["commit", "target", "libtorch"]);
    let [(_, commit), (_, target), (_, libtorch)] = told[..] else { panic!("{said}") };
    assert!(commit == "unknown" || commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{said}");
    assert!(target.contains(std::env::consts::ARCH), "{said}");
    assert!(libtorch.starts_with("2."), "{said}");
}

#[test]
fn the_version_alone_is_one_line() {
    assert_strata!(Sandbox::new(), "-V", @r"
    success: true
    exit_code: 0
    ----- stdout -----
    strata 0.3.0

    ----- stderr -----
    ");
}

#[test]
fn every_shell_completes_every_option() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = sandbox.succeed(&format!("completions {shell}")).stdout;
        let script = String::from_utf8(script).unwrap();
        assert!(script.contains("rows-per-part") && script.contains("inspect"), "{shell}: {script}");
    }
}
