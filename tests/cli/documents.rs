//! What README.md and docs/ show: every command is one that the tool takes, and is run somewhere or says why
//! not; every link leads somewhere; the pages read in order.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use reclaim_bench::cli::check_arguments;

/// Commands that no test runs, and why. Those of the tool are parsed all the same.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo run --release -- run smoke", "the release build's run of the same is a section of .ci/run"),
    ("cargo run --release -- run lane-ab", "the same with a longer scenario"),
    ("cargo test", "a section of .ci/run"),
    ("reclaim-bench run steady --live", "needs a terminal; .ci/terminal.py runs smoke on a full screen"),
    (
        "cargo build --release --features sdk",
        "the feature's tests are a section of .ci/run, without optimisation",
    ),
    ("reclaim-bench run worker-paths", "the same mix in the feature's tests"),
    (
        "reclaim-bench run sdk-duet --base-sdk 0.15.0 --candidate-sdk crates/ff-sdk --gate --output bench",
        "the feature's tests run it on copies of the published SDK",
    ),
    (
        "reclaim-bench run sdk-duet --base-sdk origin/main:crates/ff-sdk --candidate-sdk crates/ff-sdk --gate --output bench",
        "the same, of a repository that has the SDK",
    ),
    ("reclaim-bench run storm-after-failover", "failover, which is run, in churn"),
    ("reclaim-bench run failover-timeout", "four runs of failover, which is run, at other timeouts"),
    ("cargo install --locked --path .", "a step of action.yml, which .ci/action.py runs"),
    ("cargo build --release", "a section of .ci/run"),
    ("cargo build --release --locked --package reclaim-bench", "a section of .ci/run"),
    (".ci/package.sh target/release/reclaim-bench dist", ".ci/run does, to another directory"),
    (
        "docker build --tag reclaim-bench .",
        "needs a registry; its last stage is the same as that of prebuilt",
    ),
    (
        "docker build --tag reclaim-bench --target prebuilt --build-arg \"BASE=$(.ci/build-image.sh)\" .",
        ".ci/containers.sh does, with a tag of its own",
    ),
    ("docker run --rm reclaim-bench run smoke", ".ci/containers.sh does, with a tag of its own"),
    (
        "docker run --rm --volume \"$PWD/results:/work/results\" reclaim-bench run lane-ab",
        "the same with a longer scenario; compose.yaml mounts the same directory",
    ),
    ("docker compose run --rm form", ".ci/containers.sh does"),
    ("docker compose run --rm bench run smoke", ".ci/containers.sh does"),
    ("reclaim-bench run smoke --nodes 127.0.0.1:7001", ".ci/containers.sh does"),
    ("docker compose down", ".ci/containers.sh does"),
    ("echo 'source <(reclaim-bench completions bash)' >> ~/.bashrc", "shells.rs sources it"),
    (
        "echo 'source <(reclaim-bench completions zsh)' >> ~/.zshrc",
        "shells.rs prints it; zsh is on few machines",
    ),
    (
        "reclaim-bench completions fish > ~/.config/fish/completions/reclaim-bench.fish",
        "shells.rs prints it; it would write to the user's home",
    ),
    ("reclaim-bench man-pages ~/.local/share/man/man1", "shells.rs writes them elsewhere"),
    ("reclaim-bench run lane-ab --nodes 10.0.0.1:6379", "needs a cluster there; tests run on others"),
    ("reclaim-bench clean --nodes 10.0.0.1:6379", "needs a cluster there; tests run on others"),
    (
        "RECLAIM_BENCH_PASSWORD=PASSWORD reclaim-bench run lane-ab --nodes 10.0.0.1:6379 --user bench",
        "needs a cluster there; tests/runs/rights.rs runs with this user's rights",
    ),
    (
        "cargo build --release && scripts/server_trials.py --runs 10 --other /usr/bin/valkey-server",
        "a quarter of an hour on an idle machine",
    ),
    ("reclaim-bench run rtt-sweep", "minutes; tests/runs/shapes.rs makes small sweeps"),
    ("reclaim-bench run claim-paths", "minutes; tests/live/claim.rs makes every claim of it"),
    ("reclaim-bench run soak --metrics-addr 127.0.0.1:9464", "hours; the metrics have tests of their own"),
    (
        "reclaim-bench run lane-ab --concurrency 64 --claims 45000 --set compare.noise_threshold=0.06 --generators 2",
        "minutes; tests/runs/parts.rs makes a small run of two generators",
    ),
    (
        "reclaim-bench merge results/part-1 results/part-2",
        "the directories are made up; merge.rs puts others together",
    ),
    (
        "VALKEY_BENCHMARK=/usr/bin/valkey-benchmark VALKEY_SERVER=/usr/bin/valkey-server scripts/side-by-side.py",
        "minutes on an idle machine",
    ),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pages of docs/.
fn pages() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> = entries.filter(|path| path.extension().is_some_and(|is| is == "md")).collect();
    pages.sort();
    pages
}

/// Whose commands are checked.
fn documents() -> Vec<PathBuf> {
    let others = ["README.md", "results/README.md"].map(|name| root().join(name));
    pages().into_iter().chain(others).collect()
}

/// The fenced blocks of a document: what the fence says they are, and their text.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((language.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, inside)), None) => inside.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block does not end");
    blocks
}

/// The commands of a document, without what a comment says of them.
fn commands(text: &str) -> Vec<String> {
    let shell = blocks(text).into_iter().filter(|(language, _)| language == "sh" || language == "console");
    let joined: String = shell.map(|(_, text)| text.replace("\\\n", " ")).collect();
    let lines = joined.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// What a line hands to the tool, its name first; `None` where it is another program's.
fn arguments(command: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in command.chars() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, ' ') => words.push(std::mem::take(&mut word)),
            (None, '>' | '|' | '&') => break,
            _ => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    let begins = words.iter().position(|word| !word.contains('=')).unwrap_or_default();
    let words = &words[begins..];
    let cargo = ["cargo", "run", "--release", "--"];
    match words.first()?.as_str() {
        "reclaim-bench" => Some(words.to_vec()),
        "cargo" if words.iter().take(cargo.len()).eq(cargo) => Some(words[cargo.len() - 1..].to_vec()),
        _ => None,
    }
}

/// Commands that `.ci/docs-commands.sh` runs, as they are shown.
fn run_by_script() -> BTreeSet<String> {
    let script = read(&root().join(".ci/docs-commands.sh"));
    let shown =
        script.lines().filter_map(|line| line.strip_prefix("run '").or(line.strip_prefix("instead '")));
    shown.map(|line| line.split('\'').next().unwrap_or_default().to_owned()).collect()
}

/// Those that tests/runs/ci.rs runs, as it finds them.
fn run_by_live_test(document: &Path, command: &str) -> bool {
    document.ends_with("docs/ci.md") && command.starts_with("reclaim-bench ") && !command.contains("sdk-duet")
        || command.contains("library-duet")
}

#[test]
fn every_command_is_one_that_the_tool_takes() {
    let mut parsed = 0;
    for document in documents() {
        for command in commands(&read(&document)) {
            let Some(arguments) = arguments(&command) else { continue };
            if let Err(error) = check_arguments(&arguments) {
                panic!("{}: {command}\n{error}", document.display());
            }
            parsed += 1;
        }
    }
    assert!(parsed > 40, "{parsed} commands were found, which cannot be all");
    assert!(check_arguments(["reclaim-bench", "run", "smoke", "--tpyo"]).is_err());
}

#[test]
fn every_command_is_run_by_a_test_or_says_why_not() {
    let (script, mut shown) = (run_by_script(), BTreeSet::new());
    for document in documents() {
        for command in commands(&read(&document)) {
            let excused = NOT_RUN.iter().any(|(known, _)| *known == command);
            let run = script.contains(&command) || run_by_live_test(&document, &command);
            let name = document.display();
            assert!(run || excused, "{name}: no test runs: {command}");
            assert!(!(run && excused), "{name}: it is run and listed as not run: {command}");
            shown.insert(command);
        }
    }
    for command in script.iter().map(String::as_str).chain(NOT_RUN.iter().map(|(command, _)| *command)) {
        assert!(shown.contains(command), "no document shows any more: {command}");
    }
}

#[test]
fn every_block_says_what_it_is() {
    let known = ["sh", "console", "text", "toml", "acl", "yaml", "json"];
    for document in documents() {
        for (language, text) in blocks(&read(&document)) {
            assert!(known.contains(&language.as_str()), "{}: ```{language}\n{text}", document.display());
        }
    }
}

/// How a heading is linked to.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// A document without its fenced blocks.
fn prose(text: &str) -> String {
    let mut inside = false;
    let outside = |line: &&str| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    };
    text.lines().filter(outside).collect::<Vec<_>>().join("\n")
}

/// Targets of the links and pictures in a document.
fn links(text: &str) -> Vec<String> {
    let pieces = text.split("](").skip(1);
    pieces.filter_map(|piece| Some(piece.split_once(')')?.0.to_owned())).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let others =
        ["CONTRIBUTING.md", "CHANGELOG.md", "benches/README.md", "results/reference/trials/README.md"];
    let mut followed = 0;
    for document in documents().into_iter().chain(others.map(|name| root().join(name))) {
        for link in links(&prose(&read(&document))) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target =
                if file.is_empty() { document.clone() } else { document.parent().unwrap().join(file) };
            let name = document.display();
            assert!(target.exists(), "{name}: nothing is at {link}");
            if !heading.is_empty() {
                let text = prose(&read(&target));
                let mut headings = text.lines().filter_map(|line| line.strip_prefix('#'));
                let found = headings.any(|line| anchor(line.trim_start_matches('#')) == heading);
                assert!(found, "{name}: {} has no heading #{heading}", target.display());
            }
            followed += 1;
        }
    }
    assert!(followed > 100, "{followed} links were found, which cannot be all");
}

#[test]
fn the_pages_read_in_the_order_of_their_contents() {
    let contents = root().join("docs/README.md");
    let listed: Vec<String> = read(&contents)
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|line| links(line).into_iter().next())
        .collect();
    let there: BTreeSet<String> =
        pages().iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    let known: BTreeSet<String> = listed.iter().cloned().chain(["README.md".to_owned()]).collect();
    assert_eq!(there, known, "pages of docs/ and its table of contents");
    let pages = std::iter::once("README.md".to_owned()).chain(listed.clone());
    for (page, next) in pages.zip(listed) {
        let text = read(&root().join("docs").join(&page));
        let last = text.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("[Next: ") && last.ends_with(&format!("]({next})")),
            "docs/{page} ends: {last}"
        );
    }
}
