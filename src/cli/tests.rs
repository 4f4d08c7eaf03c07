//! Tests of the command line, and of every command line that texts tell people to type.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Command as Clap, CommandFactory, Parser as _, error::ErrorKind};
use workers::ROLES;

use super::*;

#[test]
fn every_flag_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn help_teaches_by_examples() {
    let help = Cli::command().render_long_help().to_string();
    assert!(help.contains("Exit codes") && help.contains("FLEET_KAFKA_"), "{help}");
}

#[test]
fn every_command_that_a_text_names_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "ops/prometheus/fleet.rules.yml"].map(|it| root.join(it)).into();
    let typed = texts.len();
    texts.extend(files(&root.join("src"), "rs").into_iter().filter(|it| !it.ends_with("cli/tests.rs")));
    let mut wrong = Vec::new();
    let mut right = 0;
    for (place, path) in texts.iter().enumerate() {
        for said in lines(&fs::read_to_string(path).unwrap()) {
            // A message of the program may leave out what is said beside it.
            match judge(&said, if place < typed { Strictness::Whole } else { Strictness::Part }) {
                Ok(()) => right += 1,
                Err(why) => wrong.push(format!("{}: {}: {why}", path.display(), said.words.join(" "))),
            }
        }
    }
    assert!(right > 100, "only {right} are found");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_command_that_is_none_is_told() {
    let judged = |text: &str| lines(text).iter().map(|it| judge(it, Strictness::Whole)).collect::<Vec<_>>();
    let good =
        ["`fleet ledger move`", "say fleet lag --role {{ $labels.role }} to see", "deploy a fleet that reads it", "`fleet lag … --json`"];
    for text in good {
        assert!(judged(text).iter().all(Result::is_ok), "{text}: {:?}", judged(text));
    }
    let target = "or fleet ledger move --role R --partition {} --to start --accept-loss --reason '… …'";
    for text in ["`fleet lags`", "`fleet lag now`", "fleet lag --rolle R", "`fleet letters show --role R`", target] {
        assert!(judged(text).iter().any(Result::is_err), "{text}");
    }
}

/// Whether all that a command needs must be said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strictness {
    Whole,
    Part,
}

/// A command line in a text.
struct Said {
    words: Vec<String>,
    /// A word between marks of code is a command; in prose, `fleet` may be a fleet.
    is_code: bool,
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    entries
        .flat_map(|it| if it.is_dir() { files(&it, ending) } else { vec![it] })
        .filter(|it| it.extension().is_some_and(|it| it == ending))
        .collect()
}

/// The command lines of a text, up to what ends a command in a shell, a text or a mark of code.
fn lines(text: &str) -> Vec<Said> {
    let text = text.replace("{{ $labels.role }}", "ROLE").replace("{{ $labels.partition }}", "N").replace("\\\n", " ");
    let starts = text.match_indices("fleet ").map(|(at, _)| at);
    let before = |at: usize| text[..at].chars().next_back().unwrap_or('\n');
    starts
        .filter(|at| matches!(before(*at), ' ' | '\n' | '`' | '"' | '\''))
        .map(|at| Said { words: words(&text[at..]), is_code: before(at) == '`' })
        .collect()
}

fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for it in text.chars().take_while(|it| !"`\"\n#&|".contains(*it)) {
        match it {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.extend(Some(std::mem::take(&mut word)).filter(|it| !it.is_empty())),
            it => word.push(it),
        }
    }
    words.push(word);
    words.iter().map(|it| it.trim_end_matches([',', ';', ':', ')']).to_owned()).filter(|it| !it.is_empty()).collect()
}

fn judge(said: &Said, strictness: Strictness) -> Result<(), String> {
    let root = Cli::command();
    let mut command = &root;
    let mut rest = said.words.iter().skip(1).map(String::as_str).peekable();
    let mut typed = vec!["fleet".to_owned()];
    while let Some(below) = rest.peek().and_then(|it| command.find_subcommand(it)) {
        typed.extend(rest.next().map(str::to_owned));
        command = below;
    }
    if typed.len() == 1 {
        let named = rest.peek().is_some_and(|it| it.starts_with(|it: char| it.is_ascii_lowercase()));
        return if said.is_code && named { Err("no such command".to_owned()) } else { Ok(()) };
    }
    let is_part = strictness == Strictness::Part || rest.peek().is_none() || said.words.iter().any(|it| it == "…");
    while let Some(word) = rest.next() {
        if word.starts_with("--") {
            typed.push(word.to_owned());
            if takes_value(&root, command, word) {
                typed.extend(rest.next().map(|it| value(word, it)));
            }
        } else if word != "…" && said.is_code {
            typed.push(word.to_owned());
        } else if word != "…" {
            break;
        }
    }
    match Cli::try_parse_from(&typed) {
        Err(error) if is_part && matches!(error.kind(), ErrorKind::MissingRequiredArgument | ErrorKind::MissingSubcommand) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) => Ok(()),
        Err(error) => Err(error.to_string().lines().next().unwrap_or_default().to_owned()),
        Ok(_) => Ok(()),
    }
}

fn takes_value(root: &Clap, command: &Clap, word: &str) -> bool {
    let flag = |of: &Clap| of.get_arguments().find(|it| it.get_long() == word.strip_prefix("--")).map(|it| it.get_action().takes_values());
    flag(command).or_else(|| flag(root)).unwrap_or_default()
}

/// What stands for a value of a flag, as one; any other value as it is.
fn value(flag: &str, word: &str) -> String {
    let is_left_open = word.contains('{') || ["…", "..."].contains(&word) || word.chars().all(|it| it.is_ascii_uppercase() || it == ',');
    match flag {
        _ if !is_left_open => word.to_owned(),
        "--role" => ROLES[0].name.to_owned(),
        "--topic" => ROLES[0].topic.name.to_owned(),
        "--partition" | "--offset" | "--to" => "3".to_owned(),
        _ => word.to_owned(),
    }
}
