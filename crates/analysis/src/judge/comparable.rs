//! Whether two stored results may be held against each other, and if not, why.

use super::beside_others::ran_beside_others;
use super::result::RunResult;
use super::run_state::RunState;
use super::setting_difference::{Differences, Machine, Setting, SettingDifference};
use super::setting_keys::scenario_differences;
use crate::record::{
    ClusterRecord, Conditions, Host, LibraryInfo, RunRecord, SdkInfo, ValkeyInfo, by_machine, short_sha256,
};
use crate::scenario::Provider;

/// Everything that differs between two results, what forbids the comparison first.
pub fn differences(base: &RunResult, candidate: &RunResult) -> Vec<SettingDifference> {
    let sides = [base, candidate];
    let mut found = Differences::default();
    for (key, values) in scenario_differences(sides) {
        found.compare(Setting::scenario_key(key), values, true);
    }
    found.place(sides);
    found.servers(sides);
    found.servers_of_arms(sides);
    found.generator(sides);
    found.libraries(sides);
    found.unusable(sides);
    let Differences(mut all) = found;
    all.sort_by_key(|difference| !difference.forbids);
    all
}

/// What differs of two runs' machines and servers, as far as that is known before a run has begun.
pub fn place_differences(hosts: [&Host; 2], servers: [&ValkeyInfo; 2]) -> Vec<SettingDifference> {
    let mut found = Differences::default();
    found.hosts(hosts);
    found.valkey(servers);
    found.0
}

impl Differences {
    /// What stands in both records. Where one of them does not say, nobody knows whether it differs: that
    /// forbids nothing.
    fn compare_if_told<T: Copy>(
        &mut self,
        what: &str,
        values: [Option<T>; 2],
        text: impl Fn(T) -> &'static str,
    ) {
        let told = values.iter().all(Option::is_some);
        self.part(what, values.map(|value| value.map_or("not recorded", &text).to_owned()), told);
    }

    fn hosts(&mut self, host: [&Host; 2]) {
        self.machine(host.map(|h| Machine { cpu: &h.cpu, cores: h.cores.into(), memory: memory(h) }));
        // Updates come by themselves: a baseline that ended with each would never be one.
        self.part("machine kernel", host.map(|h| h.kernel.clone()), false);
        self.part("machine CPU quota", host.map(|h| quota(h).unwrap_or_else(|| "none".to_owned())), true);
    }

    fn place(&mut self, sides: [&RunResult; 2]) {
        let environment = sides.map(|side| &side.record.environment);
        self.hosts(environment.map(|e| &e.host));
        let beside = |busy| if busy { "others" } else { "nothing worth a warning" };
        let beside = sides.map(|side| beside(ran_beside_others(&side.warnings)).to_owned());
        self.part("programs beside the run", beside, false);
        let [base, candidate] = environment.map(|e| Conditions::comparable(e.conditions.as_ref()));
        for ((what, base), (_, candidate)) in base.into_iter().zip(candidate) {
            self.part(what, [base, candidate], true);
        }
    }

    fn valkey(&mut self, valkey: [&ValkeyInfo; 2]) {
        self.part("valkey version", valkey.map(|v| v.version.clone()), true);
        self.part("valkey allocator", valkey.map(|v| v.allocator.clone()), true);
        self.part("valkey io-threads", valkey.map(|v| v.io_threads.to_string()), true);
        self.part("valkey primaries", valkey.map(|v| v.primaries.to_string()), true);
        self.part("valkey replicas", valkey.map(|v| v.replicas.to_string()), true);
        self.part("valkey provider", valkey.map(|v| v.provider.to_string()), true);
        self.part("partitions", valkey.map(|v| v.partitions.to_string()), true);
        // A server is what one compares as well: another build of it is told.
        if let [Some(base), Some(candidate)] = valkey.map(|v| v.build_id.clone()) {
            self.part("valkey build", [base, candidate], false);
        }
        let encrypted = |tls| if tls { "TLS" } else { "plain TCP" };
        self.compare_if_told("connections", valkey.map(|v| v.tls), encrypted);
        let here = |same_machine| if same_machine { "the generator's machine" } else { "other machines" };
        self.part("servers on", valkey.map(|v| here(v.same_machine).to_owned()), true);
    }

    fn servers(&mut self, sides: [&RunResult; 2]) {
        let valkey = sides.map(|side| &side.record.environment.valkey);
        self.valkey(valkey);
        // For an external cluster only its addresses identify it; it may have moved, so this does not forbid
        // the comparison.
        if let [Some(base), Some(candidate)] = sides.map(|side| somebodys_cluster(&side.record)) {
            self.part("cluster", [base, candidate], false);
        }
    }

    /// Those of a server duet, arm by arm. Which file a server was is only told: it is the same server on
    /// another machine.
    fn servers_of_arms(&mut self, sides: [&RunResult; 2]) {
        let records = sides.map(|side| &side.record);
        if !records.iter().any(|record| record.is_server_duet()) {
            return;
        }
        for arm in &records[0].arms {
            let clusters = records.map(|record| record.cluster_of_named(&arm.name));
            let shared = || "the run's".to_owned();
            let said = |of: fn(&ClusterRecord) -> String| clusters.map(|own| own.map_or_else(shared, of));
            let settings = said(|own| own.settings().join(" "));
            self.part(format!("server of {}", arm.name), settings, true);
            let binary = said(|own| short_sha256(&own.server.sha256).to_owned());
            self.part(format!("server binary of {}", arm.name), binary, false);
        }
    }

    fn generator(&mut self, sides: [&RunResult; 2]) {
        let build = |debug| if debug { "without optimisation" } else { "optimised" };
        self.part("tool build", sides.map(|s| build(s.record.tool.debug_build).to_owned()), true);
        // Each has connections of its own, and an equal part of what is in flight.
        let generators = sides.map(|side| side.record.generators.len().max(1).to_string());
        self.part("generators", generators, true);
        let alone = || "one".to_owned();
        let machines = sides.map(|side| generator_machines(&side.record).unwrap_or_else(alone));
        self.part("machines of the generators", machines, true);
        let real_time = sides.map(|side| side.record.generator.and_then(|used| used.real_time));
        let priority = |real_time| if real_time { "real-time" } else { "as other programs" };
        self.compare_if_told("generator's priority", real_time, priority);
        let ruler = sides.map(|side| side.record.ruler());
        // Another unit, not another load: only the figure in round trips is another one.
        if ruler.iter().all(Option::is_some) {
            self.part("the ruler", ruler.map(|command| command.unwrap_or_default().to_owned()), true);
        }
        self.part("tool commit", sides.map(|s| s.record.tool.commit.clone()), false);
        self.part("tool version", sides.map(|s| s.record.tool.version.clone()), false);
    }

    /// Function library and SDK do not forbid: they are what one compares.
    fn libraries(&mut self, sides: [&RunResult; 2]) {
        let named =
            |library: &LibraryInfo| format!("{} ({})", library.version, short_sha256(&library.sha256));
        self.part("function library", sides.map(|side| named(&side.record.environment.library)), false);
        let [base, candidate] = sides.map(|side| &side.record.arms);
        for arm in base {
            let Some(other) = candidate.iter().find(|other| other.name == arm.name) else { continue };
            let own = [arm, other].map(|arm| arm.library.as_ref().map_or("the run's".to_owned(), named));
            self.part(format!("library of {}", arm.name), own, false);
            let sdk = [arm, other].map(|arm| arm.sdk.as_ref());
            self.part(format!("SDK of {}", arm.name), sdk.map(worker), false);
            // What another compiler makes of one source is no change of the source.
            if let [Some(base), Some(candidate)] = sdk {
                let compilers = [base, candidate].map(|sdk| sdk.compiler.clone());
                self.part(format!("compiler of {}'s worker", arm.name), compilers, false);
            }
        }
    }

    fn unusable(&mut self, [base, candidate]: [&RunResult; 2]) {
        for (what, side) in [(Setting::BaseResult, base), (Setting::CandidateResult, candidate)] {
            let Some(state) = unusable(side) else { continue };
            self.compare(what, [state.to_owned(), "a complete, valid run".to_owned()], true);
        }
    }
}

/// Which cluster it was, of one that others run: the addresses of its primaries.
pub(super) fn somebodys_cluster(record: &RunRecord) -> Option<String> {
    let mut nodes: Vec<&str> = record.primaries.iter().map(|primary| primary.addr.as_str()).collect();
    nodes.sort_unstable();
    (record.environment.valkey.provider == Provider::External).then(|| nodes.join(" "))
}

/// Why a result's figures must not be used; `None` where they may.
pub(super) fn unusable(result: &RunResult) -> Option<&'static str> {
    match result.state() {
        RunState::Invalid => Some("invalid"),
        RunState::Aborted | RunState::Interrupted => Some("interrupted"),
        RunState::ControlFailed | RunState::Judged => None,
    }
}

/// Machines of several generators, sorted: what `compare` holds a single one's machine to, and how threads
/// and cores were arranged there. `None` where all ran on one.
pub(super) fn generator_machines(record: &RunRecord) -> Option<String> {
    let machine = |host: &Host, conditions: Option<&Conditions>| {
        let quota = quota(host).map(|cores| format!(", CPU quota of {cores}")).unwrap_or_default();
        let arranged = Conditions::comparable(conditions).map(|(_, how)| how).join(", ");
        format!("{} with {} cores and {}{quota} ({arranged})", host.cpu, host.cores, memory(host))
    };
    let used = by_machine(&record.generators);
    let mut named: Vec<String> = used
        .iter()
        .map(|used| {
            let first = record.generators.iter().find(|one| one.part == used.parts[0]);
            // Of where there are no servers to place their numbers differ, and the generator works alike.
            let of_run = record.environment.conditions.as_ref();
            let own = first
                .and_then(|one| one.conditions.as_ref())
                .filter(|own| !Conditions::same_for_generator(Some(own), of_run));
            machine(used.host, own.or(of_run))
        })
        .collect();
    named.sort();
    (named.len() > 1).then(|| named.join("; "))
}

fn worker(sdk: Option<&SdkInfo>) -> String {
    sdk.map_or("built in".to_owned(), sdk_and_digest)
}

/// A worker's SDK: its version, and what tells it from others that say the same.
pub(super) fn sdk_and_digest(sdk: &SdkInfo) -> String {
    format!("{} ({})", sdk.version, short_sha256(&sdk.sha256))
}

/// Kernels report a few pages more or less from boot to boot.
fn memory(host: &Host) -> String {
    format!("{:.1} GiB", host.memory_bytes as f64 / 1_073_741_824.0)
}

/// A control group's limit, in words; `None` without one.
pub(super) fn quota(host: &Host) -> Option<String> {
    Some(format!("{:.2} cores", host.quota_us_per_s? as f64 / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::analyse;
    use crate::judge::fixtures::{GRANT_LANE, generator, record};

    #[test]
    fn a_run_of_several_generators_is_another_than_one_of_a_single_one() {
        let base = analyse(record(&[GRANT_LANE], 1)).unwrap();
        let mut several = base.clone();
        several.record.generators = vec![generator(1)];
        assert_eq!(differences(&base, &several), [], "one is one, merged or not");
        several.record.generators.push(generator(2));
        let [one] = &differences(&base, &several)[..] else { panic!("the number alone differs") };
        assert_eq!((one.to_string().as_str(), one.forbids), ("generators: 1 against 2", true));
    }
}
