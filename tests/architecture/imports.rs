//! Which file of a crate takes names from which other, read from its sources.
//!
//! An arrow is a name that one file uses and another defines. Names are followed through re-exports, so that
//! a folder's `mod.rs` stands between no two files; what only tests compile is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Attribute, Ident, Item, UseTree, Visibility};

/// Segments of a module's path below the crate; empty for the crate itself.
type ModulePath = Vec<String>;

/// Longest chain of re-exports that is followed.
const CHAIN: usize = 16;

/// One module with a file of its own.
#[derive(Default)]
struct Module {
    /// Relative to the crate's `src`.
    file: String,
    defines: BTreeSet<String>,
    /// Names that `use` brings here, with the paths that they stand for.
    names: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    /// Paths that this file's arrows come from.
    uses: BTreeSet<Vec<String>>,
}

/// The modules of one crate.
#[derive(Default)]
pub struct Sources {
    modules: BTreeMap<ModulePath, Module>,
}

/// From each file to the files that it takes names from, each with the names.
pub type Arrows = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

impl Sources {
    /// Reads the crate whose `lib.rs` lies in `src`.
    pub fn read(src: &Path) -> anyhow::Result<Self> {
        let mut sources = Self::default();
        sources.read_module(src, "lib.rs", &[])?;
        Ok(sources)
    }

    fn read_module(&mut self, src: &Path, file: &str, path: &[String]) -> anyhow::Result<()> {
        let text = fs::read_to_string(src.join(file)).with_context(|| format!("cannot read {file}"))?;
        let parsed = syn::parse_file(&text).with_context(|| format!("cannot parse {file}"))?;
        let mut module = Module { file: file.to_owned(), ..Module::default() };
        let mut children = Vec::new();
        for item in parsed.items.iter().filter(|item| !is_for_tests(head(item).0)) {
            match item {
                Item::Mod(child) if child.content.is_none() => children.push(child.ident.to_string()),
                Item::Use(import) => {
                    let is_front = file.ends_with("mod.rs") || file == "lib.rs";
                    let is_passed_on = is_front && !matches!(import.vis, Visibility::Inherited);
                    module.import(&import.tree, &mut Vec::new(), is_passed_on);
                }
                item => {
                    module.defines.extend(head(item).1.map(Ident::to_string));
                    paths_in(item.to_token_stream(), &mut module.uses);
                }
            }
        }
        self.modules.insert(path.to_vec(), module);
        let folder = file.strip_suffix("mod.rs").or_else(|| file.strip_suffix("lib.rs"));
        let folder = folder.map_or_else(|| format!("{}/", file.trim_end_matches(".rs")), str::to_owned);
        for child in children {
            let of_its_own = format!("{folder}{child}/mod.rs");
            let file =
                if src.join(&of_its_own).exists() { of_its_own } else { format!("{folder}{child}.rs") };
            self.read_module(src, &file, &self::child(path, &child))?;
        }
        Ok(())
    }

    /// All arrows between different files.
    pub fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (path, module) in &self.modules {
            for used in &module.uses {
                let Some(file) = self.defining_file(path, used, CHAIN) else { continue };
                if file != module.file {
                    let names =
                        arrows.entry(module.file.clone()).or_default().entry(file.to_owned()).or_default();
                    names.insert(used.join("::"));
                }
            }
        }
        arrows
    }

    /// The file that defines what `path` means in `module`; `None` for other crates' names and for modules
    /// themselves.
    fn defining_file(&self, module: &[String], path: &[String], chain: usize) -> Option<&str> {
        let (first, rest) = path.split_first()?;
        let here = self.modules.get(module)?;
        let start = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.to_vec(),
            "super" => {
                let (_, parent) = module.split_last()?;
                return match rest.first().map(String::as_str) {
                    Some("super") => self.defining_file(parent, rest, chain.checked_sub(1)?),
                    _ => self.look_up(parent, rest, chain.checked_sub(1)?),
                };
            }
            name if self.modules.contains_key(&child(module, name)) => child(module, name),
            name => {
                let target = here.names.get(name)?;
                return self.defining_file(module, &[target, rest].concat(), chain.checked_sub(1)?);
            }
        };
        self.look_up(&start, rest, chain.checked_sub(1)?)
    }

    fn look_up(&self, module: &[String], rest: &[String], chain: usize) -> Option<&str> {
        let (name, more) = rest.split_first()?;
        let here = self.modules.get(module)?;
        let inner = child(module, name);
        if self.modules.contains_key(&inner) {
            return self.look_up(&inner, more, chain);
        }
        if here.defines.contains(name) {
            return Some(&here.file);
        }
        if let Some(target) = here.names.get(name) {
            return self.defining_file(module, &[target, more].concat(), chain.checked_sub(1)?);
        }
        here.globs
            .iter()
            .find_map(|glob| self.defining_file(module, &[glob, rest].concat(), chain.checked_sub(1)?))
    }
}

impl Module {
    fn import(&mut self, tree: &UseTree, path: &mut Vec<String>, is_passed_on: bool) {
        match tree {
            UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                self.import(&inner.tree, path, is_passed_on);
                path.pop();
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.import(item, path, is_passed_on));
            }
            UseTree::Name(name) if name.ident == "self" => {
                let last = path.last().cloned().unwrap_or_default();
                self.bring(last, path.clone(), is_passed_on);
            }
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                self.bring(name.clone(), [path.clone(), vec![name]].concat(), is_passed_on);
            }
            UseTree::Rename(renamed) => {
                let target = [path.clone(), vec![renamed.ident.to_string()]].concat();
                self.bring(renamed.rename.to_string(), target, is_passed_on);
            }
            UseTree::Glob(_) => self.globs.push(path.clone()),
        }
    }

    fn bring(&mut self, name: String, target: Vec<String>, is_passed_on: bool) {
        if !is_passed_on {
            self.uses.insert(target.clone());
        }
        self.names.insert(name, target);
    }
}

fn child(module: &[String], name: &str) -> ModulePath {
    [module, &[name.to_owned()]].concat()
}

/// Paths of two or more segments, those inside macros too.
fn paths_in(tokens: TokenStream, paths: &mut BTreeSet<Vec<String>>) {
    let mut path = Vec::<String>::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                if colons != 2 {
                    keep(&mut path, paths);
                }
                path.push(ident.to_string());
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Group(group) => {
                keep(&mut path, paths);
                paths_in(group.stream(), paths);
                colons = 0;
            }
            _ => {
                keep(&mut path, paths);
                colons = 0;
            }
        }
    }
    keep(&mut path, paths);
}

fn keep(path: &mut Vec<String>, paths: &mut BTreeSet<Vec<String>>) {
    let path = std::mem::take(path);
    if path.len() > 1 {
        paths.insert(path);
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && {
            let condition = attribute.to_token_stream().to_string();
            condition.contains("test") || condition.contains("fixtures")
        }
    })
}

/// An item's attributes, and its name where it has one.
fn head(item: &Item) -> (&[Attribute], Option<&Ident>) {
    match item {
        Item::Const(item) => (&item.attrs, Some(&item.ident)),
        Item::Enum(item) => (&item.attrs, Some(&item.ident)),
        Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
        Item::Impl(item) => (&item.attrs, None),
        Item::Mod(item) => (&item.attrs, Some(&item.ident)),
        Item::Static(item) => (&item.attrs, Some(&item.ident)),
        Item::Struct(item) => (&item.attrs, Some(&item.ident)),
        Item::Trait(item) => (&item.attrs, Some(&item.ident)),
        Item::Type(item) => (&item.attrs, Some(&item.ident)),
        Item::Union(item) => (&item.attrs, Some(&item.ident)),
        Item::Use(item) => (&item.attrs, None),
        _ => (&[], None),
    }
}
