//! Which commands the functions of a library run, read from its source: what a server counts beyond these and
//! what was sent is somebody else's.

use std::collections::{BTreeMap, BTreeSet};

/// How often one call of a function can run each command; `None` is any number of times (in a loop).
pub type CallBounds = BTreeMap<String, Option<u64>>;

/// The commands of a library's functions, loops and helpers taken into account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LibraryCalls {
    functions: BTreeMap<String, CallBounds>,
}

/// A piece of the source at its outermost level: a helper, or the registration of a function.
struct Block<'a> {
    text: &'a str,
    calls: CallBounds,
}

impl LibraryCalls {
    /// Reads a library's source. What is registered in a way that cannot be read is left out: see
    /// [`Self::bounds`].
    pub fn parse(source: &str) -> Self {
        let uncommented: String = source
            .lines()
            .map(|line| line.split("--").next().unwrap_or_default())
            .collect::<Vec<_>>()
            .join("\n");
        let pieces = outermost(&uncommented);
        let helpers: BTreeMap<&str, Block<'_>> = pieces
            .iter()
            .filter_map(|text| {
                let name = text.strip_prefix("local function ").or_else(|| text.strip_prefix("local "))?;
                let name = name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
                Some((name, Block { text, calls: own_calls(text) }))
            })
            .collect();
        let functions = pieces
            .iter()
            .filter_map(|text| {
                let (_, registered) = text.split_once("register_function")?;
                let name = registered.split(['\'', '"']).nth(1)?;
                let mut bounds = own_calls(text);
                add_helpers(text, &helpers, &mut BTreeSet::new(), &mut bounds);
                Some((name.to_owned(), bounds))
            })
            .collect();
        Self { functions }
    }

    /// The most that one call of any of these functions can run of each command. A function that is not known
    /// may run anything that any function does.
    pub fn bounds(&self, functions: &[&str]) -> CallBounds {
        let mut most = CallBounds::new();
        for function in functions {
            if let Some(bounds) = self.functions.get(*function) {
                raise(&mut most, bounds);
            } else {
                let anything = self.functions.values().flat_map(|bounds| bounds.keys());
                raise(&mut most, &anything.map(|command| (command.clone(), None)).collect());
            }
        }
        most
    }
}

/// Raises each bound to the higher one.
pub fn raise(most: &mut CallBounds, others: &CallBounds) {
    for (command, bound) in others {
        let known = most.entry(command.clone()).or_insert(Some(0));
        *known = known.zip(*bound).map(|(a, b)| a.max(b));
    }
}

/// The source in pieces, each from a line that begins at the margin with a definition to the next one.
fn outermost(source: &str) -> Vec<&str> {
    let mut starts = vec![0];
    let mut offset = 0;
    for line in source.split_inclusive('\n') {
        if line.starts_with("local ") || line.starts_with("redis.") || line.starts_with("server.") {
            starts.push(offset);
        }
        offset += line.len();
    }
    starts.push(source.len());
    starts.windows(2).map(|ends| &source[ends[0]..ends[1]]).collect()
}

/// Commands that a piece names itself. Where it has a loop, each may run any number of times.
fn own_calls(text: &str) -> CallBounds {
    let words = || text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let looped = words().any(|word| matches!(word, "for" | "while" | "repeat"));
    let mut calls = CallBounds::new();
    for call in ["redis.call(", "redis.pcall(", "server.call(", "server.pcall("] {
        for (at, _) in text.match_indices(call) {
            let argument = text[at + call.len()..].trim_start();
            let quoted = argument.strip_prefix(['"', '\'']).and_then(|rest| rest.split(['"', '\'']).next());
            // A command that is not written out may be any of those that are.
            let Some(command) = quoted else { continue };
            let count = calls.entry(command.to_ascii_lowercase()).or_insert(Some(0));
            *count = if looped { None } else { count.map(|count| count + 1) };
        }
    }
    calls
}

/// Adds what the helpers run that a piece mentions, as often as it mentions them.
fn add_helpers<'a>(
    text: &str,
    helpers: &BTreeMap<&'a str, Block<'a>>,
    above: &mut BTreeSet<&'a str>,
    bounds: &mut CallBounds,
) {
    for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let Some((&name, helper)) = helpers.get_key_value(word) else { continue };
        // The piece's own name, or a helper that calls itself.
        if std::ptr::eq(helper.text, text) || !above.insert(name) {
            continue;
        }
        let mut of_helper = helper.calls.clone();
        add_helpers(helper.text, helpers, above, &mut of_helper);
        above.remove(name);
        for (command, more) in of_helper {
            let bound = bounds.entry(command).or_insert(Some(0));
            *bound = bound.zip(more).map(|(bound, more)| bound + more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resumed_claim_runs_what_its_source_says_and_no_more() {
        let calls = LibraryCalls::parse(ff_script::LIBRARY_SOURCE);
        let bounds = calls.bounds(&["ff_claim_resumed_execution"]);
        let names: Vec<_> = bounds.keys().map(String::as_str).collect();
        assert_eq!(names, ["del", "hgetall", "hset", "sadd", "time", "xadd", "zadd", "zrem"]);
        assert_eq!((bounds["hset"], bounds["xadd"], bounds["hgetall"]), (Some(3), Some(1), Some(2)));
        assert_eq!(calls.bounds(&["ff_version"]), CallBounds::new());
    }

    #[test]
    fn helpers_count_as_often_as_they_are_called_and_loops_have_no_bound() {
        let source = "#!lua name=x\nlocal function put(k)\n  redis.call('SET', k, 1)\nend\n\
                      local function all(ks)\n  for _, k in ipairs(ks) do redis.call('DEL', k) end\nend\n\
                      redis.register_function('ff_a', function(keys)\n  put(keys[1])\n  put(keys[2])\n  all(keys)\n\
                      -- redis.call('FLUSHALL')\nend)\n\
                      redis.register_function{function_name='ff_b', callback=put}\n";
        let calls = LibraryCalls::parse(source);
        let a = calls.bounds(&["ff_a"]);
        assert_eq!(a, CallBounds::from([("set".into(), Some(2)), ("del".into(), None)]));
        assert_eq!(calls.bounds(&["ff_b"]), CallBounds::from([("set".into(), Some(1))]));
        let unknown = calls.bounds(&["ff_c"]);
        assert_eq!(unknown, CallBounds::from([("set".into(), None), ("del".into(), None)]));
    }
}
