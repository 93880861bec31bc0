//! The layout that CONTRIBUTING promises: a folder takes names only from those before it in its line, and no
//! two files take names from each other in a circle.

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use imports::{Arrows, Sources};

/// Each crate's `src` with its folders from the bottom up, as the block `floors` of CONTRIBUTING.md has them.
fn floors(contributing: &str) -> Vec<(String, Vec<String>)> {
    let (_, block) = contributing.split_once("```floors\n").expect("CONTRIBUTING.md has a block `floors`");
    let (block, _) = block.split_once("```").expect("the block ends");
    let line = |line: &str| {
        let (src, folders) = line.split_once(": ").expect("a line is `SRC: FOLDER ...`");
        (src.to_owned(), folders.split_whitespace().map(str::to_owned).collect())
    };
    block.lines().map(line).collect()
}

/// Arrows from a folder to one that stands after it, or to one that has no place in the line.
fn upward(arrows: &Arrows, floors: &[String]) -> Vec<String> {
    let floor = |file: &str| {
        let folder = file.split('/').next().unwrap_or_default();
        floors.iter().position(|known| known == folder.trim_end_matches(".rs"))
    };
    let mut found = Vec::new();
    for (from, targets) in arrows.iter().filter(|(from, _)| *from != "lib.rs") {
        for (to, names) in targets {
            let is_upward = match (floor(from), floor(to)) {
                (Some(from), Some(to)) => to > from,
                _ => true,
            };
            if is_upward {
                found.push(format!("{from} -> {to}: {names:?}"));
            }
        }
    }
    found
}

/// Arrows that lie in a circle: what remains when files that take from no other, or that no other takes from,
/// are laid aside again and again.
fn circles(arrows: &Arrows) -> Vec<String> {
    let mut pairs: BTreeSet<(&str, &str)> =
        arrows.iter().flat_map(|(from, to)| to.keys().map(move |to| (from.as_str(), to.as_str()))).collect();
    loop {
        let froms: BTreeSet<_> = pairs.iter().map(|pair| pair.0).collect();
        let tos: BTreeSet<_> = pairs.iter().map(|pair| pair.1).collect();
        let before = pairs.len();
        pairs.retain(|(from, to)| tos.contains(from) && froms.contains(to));
        if pairs.len() == before {
            let names = |(from, to): (&str, &str)| format!("{from} -> {to}: {:?}", arrows[from][to]);
            return pairs.into_iter().map(names).collect();
        }
    }
}

#[test]
fn folders_stand_on_floors_without_circles() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contributing = fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    for (src, floors) in floors(&contributing) {
        let arrows = Sources::read(&root.join(&src)).unwrap().arrows();
        let count: usize = arrows.values().map(BTreeMap::len).sum();
        let are_files = floors.iter().all(|floor| root.join(&src).join(floor).with_extension("rs").is_file());
        let least = if are_files { floors.len() } else { 100 };
        assert!(count > least, "{src}: {count} arrows were read, which cannot be all");
        assert_eq!(upward(&arrows, &floors), Vec::<String>::new(), "arrows upwards in {src}");
        assert_eq!(circles(&arrows), Vec::<String>::new(), "circles in {src}");
        for folder in &floors {
            let dir = root.join(&src).join(folder);
            assert!(dir.is_dir() || dir.with_extension("rs").is_file(), "{src} has no {folder}");
        }
    }
}

/// A crate of three folders, written to a directory of its own.
fn arrows_of(files: &[(&str, &str)]) -> Arrows {
    let dir = tempfile::tempdir().unwrap();
    for (file, text) in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Sources::read(dir.path()).unwrap().arrows()
}

#[test]
fn an_arrow_upwards_is_found_through_a_re_export_and_inside_a_macro() {
    let floors = ["low", "high"].map(str::to_owned);
    let lib = ("lib.rs", "pub mod low; pub mod high;");
    let high = ("high.rs", "pub fn shown() -> u8 { crate::low::given() }");
    let high_alone = ("high.rs", "pub fn shown() -> u8 { 1 }");
    let good = arrows_of(&[
        lib,
        high,
        ("low/mod.rs", "mod inner; pub use inner::given;"),
        ("low/inner.rs", "pub fn given() -> u8 { 1 }"),
    ]);
    assert_eq!(upward(&good, &floors), Vec::<String>::new());
    assert_eq!(good["high.rs"].keys().collect::<Vec<_>>(), ["low/inner.rs"]);
    for low in [
        "use crate::high::shown;",
        "fn f() { println!(\"{}\", crate::high::shown()); }",
        "use crate::high as h; fn f() { h::shown(); }",
    ] {
        let found = upward(&arrows_of(&[lib, high_alone, ("low.rs", low)]), &floors);
        assert!(found.len() == 1 && found[0].starts_with("low.rs -> high.rs"), "{low}: {found:?}");
    }
    let for_tests = ("low.rs", "#[cfg(test)] mod tests { use crate::high::shown; }");
    assert_eq!(upward(&arrows_of(&[lib, high_alone, for_tests]), &floors), Vec::<String>::new());
}

#[test]
fn a_circle_of_three_files_is_found_and_what_leads_to_it_is_not_named() {
    let found = circles(&arrows_of(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use super::b::B; pub struct A(B);"),
        ("b.rs", "use super::c::C; pub struct B(C);"),
        ("c.rs", "pub struct C(Box<super::a::A>);"),
        ("d.rs", "use super::a::A; pub struct D(A);"),
    ]));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().all(|arrow| !arrow.contains("d.rs")), "{found:?}");
}
