//! Rules about keys that are right by themselves but not together.

use std::time::Duration;

use super::build::{arrivals, control_sides, model as load_model};
use super::checker::Checker;
use super::choices::{Mode, Provider};
use super::compare_section::{CompareSection, MixingForm};
use super::fault::FaultSection;
use super::fault_rules;
use super::file::{ClusterSection, ScenarioFile, VariantSection};
use super::load_rules;
use super::load_section::ModelForm;
use super::mixing::{BlockShape, compared_ramp, compared_trace, mixing, replays};
use super::model::{ControlSides, Mixing};
use super::sdk_rules;
use super::server::ServerForm;
use super::server_rules;

/// Stock over what the window needs: claims are not idempotent, and an empty pool invalidates the window.
const STOCK_MARGIN: f64 = 1.1;

/// Grants to have in stock before an open-loop window of this many claims.
pub fn stock_for(claims: u64) -> u64 {
    (claims as f64 * STOCK_MARGIN).ceil() as u64
}

/// Fewer claims than this on a side of a stratum make its quantiles meaningless.
const CLAIMS_PER_SIDE: u64 = 10;

/// Servers that wait for less than this call each other failed on a busy machine.
const SHORTEST_NODE_TIMEOUT: Duration = Duration::from_millis(200);
const LONGEST_NODE_TIMEOUT: Duration = Duration::from_mins(1);

/// Shortest and longest wait for replicas; WAIT counts in milliseconds.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Checks all of them.
pub(super) fn check(file: &ScenarioFile, checker: &mut Checker) {
    cluster(&file.cluster, checker);
    load_rules::combine(file, checker);
    if let Some(compare) = &file.compare {
        strata(file, compare, checker);
        queue(file, compare, checker);
        compared_trace(file, compare, control_sides(file, compare), checker);
        compared_ramp(file, checker);
    }
    stock(file, checker);
    libraries(file, checker);
    instrumented(file, checker);
    replicas(file, checker);
    server_rules::combine(file, checker);
    sdk_rules::combine(file, checker);
    fault_rules::combine(file, checker);
}

/// A wait for replicas needs as many, and must end before its reply is given up.
fn replicas(file: &ScenarioFile, checker: &mut Checker) {
    for (n, variant) in file.variants.iter().enumerate() {
        let key = |name: &str| format!("variant[{n}].{name}");
        let Some(wanted) = variant.wait_replicas else {
            checker.require(variant.wait_timeout.is_none(), &key("wait_timeout"), || {
                "nothing is waited for: add wait_replicas = 1, or leave it out".into()
            });
            continue;
        };
        checker.require(wanted > 0, &key("wait_replicas"), || "0 is no wait: leave it out".into());
        let own = variant.server.as_ref().map(ServerForm::table).and_then(|server| server.replicas);
        let (has, owned) = (own.unwrap_or(file.cluster.replicas), file.cluster.nodes.is_empty());
        let where_set = if own.is_some() { "its server.replicas" } else { "cluster.replicas" };
        checker.require(!owned || has >= wanted, &key("wait_replicas"), || {
            format!("needs {wanted} replicas of each primary, and {where_set} is {has}: set it to {wanted}")
        });
        // The heir of a primary that is gone has one replica less: each of its claims would wait out the
        // timeout.
        let loses = |section: &FaultSection| section.kill.is_some() || section.partition.is_some();
        checker.require(!owned || has > wanted || !file.faults.iter().any(loses), &key("wait_replicas"), || {
            format!(
                "a primary that is killed or cut off leaves its heir {} replicas, and {wanted} are waited for: set \
                 cluster.replicas to {}",
                has.saturating_sub(1),
                wanted + 1
            )
        });
        if let Some(timeout) = variant.wait_timeout {
            checker.lasting(&key("wait_timeout"), timeout, SHORTEST_WAIT, LONGEST_WAIT);
            checker.require(timeout.0 < file.load.timeout.0, &key("wait_timeout"), || {
                let reply = file.load.timeout;
                format!("{timeout} is not below load.timeout = {reply}, after which no reply is waited for")
            });
        }
    }
}

/// An arm's own library is loaded beside the run's.
fn libraries(file: &ScenarioFile, checker: &mut Checker) {
    let Some(n) = file.variants.iter().position(|variant| variant.library.is_some()) else { return };
    let key = format!("variant[{n}].library");
    checker.require(file.cluster.nodes.is_empty(), "cluster.nodes", || {
        format!(
            "{key} is loaded beside the library that runs, which is only done on servers that this tool starts: leave \
             out the nodes"
        )
    });
    checker.require(file.variants.len() > 1, &key, || {
        "needs a second variant to compare with; one library for the whole run is [library] source".into()
    });
}

/// What an instrumented library counted is read around counter blocks of its arm alone, and compared with a
/// plain one.
fn instrumented(file: &ScenarioFile, checker: &mut Checker) {
    let Some(n) = file.variants.iter().position(|variant| variant.instrumented) else { return };
    let key = format!("variant[{n}].instrumented");
    checker.require(file.cluster.nodes.is_empty(), "cluster.nodes", || {
        format!("{key} loads a library of its own, which is only done on servers that this tool starts: leave out the nodes")
    });
    checker.require(file.load.mode == Mode::Staged, "load.mode", || {
        format!("{key} is read out between blocks of claims, which only mode = \"staged\" has")
    });
    let compare = file.compare.as_ref();
    let blocks = compare.is_some_and(|compare| compare.counter_blocks > 0)
        && mixing(file, &load_model(&file.load)) == Mixing::Claims;
    checker.require(blocks, &key, || {
        "needs a second variant, compare.counter_blocks over 0 and one claim in flight: it is read out around these blocks"
            .into()
    });
    for n in (0..file.variants.len()).filter(|&n| file.variants[n].instrumented) {
        checker.require(plain_of(&file.variants, n).is_some(), &format!("variant[{n}].instrumented"), || {
            "needs a plain variant before it, of the same path and library: what the instrumentation adds is the difference"
                .into()
        });
    }
}

/// The plain arm that an instrumented one is compared with: the last one before it of the same path and
/// library.
pub fn plain_of(variants: &[VariantSection], instrumented: usize) -> Option<usize> {
    let own = variants.get(instrumented).filter(|own| own.instrumented)?;
    variants[..instrumented]
        .iter()
        .rposition(|plain| !plain.instrumented && plain.path == own.path && plain.library == own.library)
}

/// Who runs the servers, and whether that needs nodes.
pub(super) fn cluster(section: &ClusterSection, checker: &mut Checker) {
    let (provider, nodes) = (section.provider, &section.nodes);
    match provider {
        Provider::External => checker.require(!nodes.is_empty(), "cluster.provider", || {
            "external needs cluster.nodes (or --nodes), such as [\"10.0.0.1:6379\"]".into()
        }),
        Provider::Local | Provider::Container => checker.require(nodes.is_empty(), "cluster.nodes", || {
            "only for provider = \"external\" or \"auto\"; this one starts servers of its own".into()
        }),
        Provider::Auto => {}
    }
    if let Some(timeout) = section.node_timeout {
        checker.lasting("cluster.node_timeout", timeout, SHORTEST_NODE_TIMEOUT, LONGEST_NODE_TIMEOUT);
        checker.require(nodes.is_empty(), "cluster.node_timeout", || {
            "a setting of servers that this tool starts; those of cluster.nodes have theirs: leave it out"
                .into()
        });
    }
}

/// Arms may not be mixed claim by claim where they would wait in one queue.
fn queue(file: &ScenarioFile, compare: &CompareSection, checker: &mut Checker) {
    let in_flight = file.load.in_flight();
    checker.require(
        compare.mixing != MixingForm::Claims || file.load.model == ModelForm::Open || in_flight == 1,
        "compare.mixing",
        || {
            format!(
                "claim by claim with {in_flight} in flight all arms would wait in one queue, and none would show what it \
                 does alone: use \"blocks\" or \"auto\", or load.concurrency = 1"
            )
        },
    );
    checker.require(
        compare.mixing != MixingForm::Blocks || file.load.mode == Mode::Staged,
        "compare.mixing",
        || "blocks need mode = \"staged\": where everything runs together nothing can be drained between them".into(),
    );
}

fn strata(file: &ScenarioFile, compare: &CompareSection, checker: &mut Checker) {
    let Some(claims) = window_claims(file) else { return };
    let arms = file.variants.len() as u64;
    let per_arm = claims / u64::from(compare.strata) / arms;
    let halved = control_sides(file, compare) == ControlSides::Halves;
    let least = if halved { 2 * CLAIMS_PER_SIDE } else { CLAIMS_PER_SIDE };
    checker.require(per_arm >= least, "compare.strata", || {
        let most = claims / arms / least;
        let needed = u64::from(compare.strata) * arms * least;
        let why = if halved { ", since the control takes the baseline's by halves" } else { "" };
        format!(
            "{claims} claims in {} strata and {arms} arms leave {per_arm} per arm and stratum, at least {least} are \
             needed{why}: use at most {most} strata, or at least {needed} claims",
            compare.strata
        )
    });
}

/// Whether the population holds a whole window (open loop) or every part of it that is staged in one go.
fn stock(file: &ScenarioFile, checker: &mut Checker) {
    let (Mode::Staged, Some(claims)) = (file.load.mode, window_claims(file)) else { return };
    let resuming = file.variants.iter().filter(|variant| !variant.path.is_first_claim()).count() as u64;
    let arms = file.variants.len() as u64;
    let model = load_model(&file.load);
    let blocks = file.compare.as_ref().filter(|_| mixing(file, &model) == Mixing::Blocks);
    let (what, needed) = if let Some(compare) = blocks {
        let added_rtt_s = file.load.network.added_rtt.0.as_secs_f64();
        let block = BlockShape::planned(compare.strata, claims, arms, &model, added_rtt_s).all_claims();
        ("a block of one arm", if file.load.model == ModelForm::Open { stock_for(block) } else { block })
    } else if replays(file) && file.compare.is_some() {
        // What does not fit one filling with the warm-up gets a second window, which begins the trace anew.
        ("a recorded trace with its warm-up", stock_for(claims + file.load.warmup))
    } else if file.load.model == ModelForm::Open {
        ("an open-loop window of that length", stock_for(claims))
    } else if let Some(compare) = &file.compare {
        let side = claims / u64::from(compare.strata) / arms;
        let sides = resuming + u64::from(control_sides(file, compare) == ControlSides::SideOfItsOwn);
        let stratum = side * sides.max(2);
        let block = u64::from(compare.block_claims);
        if block > stratum { ("a counter block", block) } else { ("a stratum", stratum) }
    } else {
        ("a claim", 1)
    };
    let warmup = file.load.warmup * resuming / arms;
    let (what, needed) = if warmup > needed { ("the warm-up", warmup) } else { (what, needed) };
    let have = u64::from(file.population.executions);
    checker.require(have >= needed, "population.executions", || {
        format!("{have} are too few: {what} needs {needed} grants in stock, so at least {needed} executions")
    });
}

/// Claims of the window over all arms; `None` where time alone decides.
fn window_claims(file: &ScenarioFile) -> Option<u64> {
    let load = &file.load;
    load.claims.or_else(|| {
        let (rate, duration) = (load.rate?, load.duration?);
        Some(arrivals(load.arrivals.as_ref()).count_within(rate, duration.0))
    })
}
