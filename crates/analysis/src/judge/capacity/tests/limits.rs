//! What held a probe back, by whose CPU ran out.

use super::super::limit::limit;
use super::super::{Limit, OneGenerator, PrimaryLoad, Resources};

fn primaries(busy: [f64; 3]) -> Vec<PrimaryLoad> {
    let load = |(n, busy): (usize, f64)| PrimaryLoad {
        addr: format!("127.0.0.1:700{n}"),
        partitions: 85,
        claims: 1,
        busy: Some(busy),
    };
    busy.into_iter().enumerate().map(load).collect()
}

fn used(generator: f64, servers: f64, machine: f64, same_machine: bool) -> Resources {
    Resources {
        generator: Some(generator),
        busiest_part: None,
        worst_generator: None,
        generators: None,
        generator_process: None,
        servers: Some(servers),
        primaries: None,
        polling: false,
        machine: Some(machine),
        stolen: None,
        servers_waited: None,
        server_cores: None,
        throttled: None,
        clocks_over_window: None,
        cores: 2,
        same_machine,
    }
}

#[test]
fn a_main_thread_without_time_is_the_limit_whatever_the_generator_says() {
    for late in [false, true] {
        let limit = limit(&primaries([0.4, 0.97, 0.5]), &used(0.5, 1.9, 2.0, true), late);
        assert_eq!(limit, Limit::Server { primary: "127.0.0.1:7001".into(), busy: 0.97 });
    }
}

#[test]
fn shared_cores_go_to_whoever_uses_most_of_them() {
    let named = |generator: f64, servers: f64| {
        limit(&primaries([0.5, 0.5, 0.4]), &used(generator, servers, 1.95, true), true)
    };
    assert!(matches!(named(0.4, 1.4), Limit::ServersOnSharedCores { .. }));
    assert!(matches!(named(1.0, 0.9), Limit::Generator { .. }));
    assert!(matches!(named(0.2, 0.3), Limit::OtherPrograms { .. }));
}

#[test]
fn a_late_generator_with_cores_to_spare_is_the_limit_itself() {
    let idle = primaries([0.3, 0.3, 0.3]);
    let busy = limit(&idle, &used(0.95, 0.9, 1.0, false), true);
    assert_eq!(busy, Limit::Generator { busy: Some(0.95), part: None });
    let punctual = limit(&idle, &used(0.2, 0.9, 1.2, true), true);
    assert!(matches!(punctual, Limit::Generator { .. }));
    assert!(busy.is_busy_generator() && !punctual.is_busy_generator());
    // The servers have machines of their own: what they use is not the generator's.
    assert!(matches!(limit(&idle, &used(0.9, 2.9, 1.0, false), true), Limit::Generator { .. }));
}

#[test]
fn what_others_used_is_known_where_the_machine_was_looked_at_for_longer() {
    // 4 cores for 2.2 s: of 6.5 s in use 1.2 and 3.0 s were the tool's and the servers', in a window of 2
    // s.
    let longer = Resources { clocks_over_window: Some(1.1), ..used(0.6, 1.5, 6.5 / 2.2, true) };
    assert!((longer.others().unwrap() - 2.3 / 2.2).abs() < 1e-9, "{:?}", longer.others());
}

#[test]
fn of_several_generators_the_one_that_was_late_is_named_and_not_the_busiest_one() {
    let idle = primaries([0.3, 0.3, 0.3]);
    let several = |worst_generator| Resources {
        busiest_part: Some(1),
        generators: Some(1.1),
        worst_generator,
        ..used(0.7, 0.9, 1.0, false)
    };
    let late = OneGenerator { part: 3, busy: Some(0.2) };
    let named = limit(&idle, &several(Some(late)), true);
    assert_eq!(named, Limit::Generator { busy: Some(0.2), part: Some(3) });
    let named = limit(&idle, &several(None), true);
    assert_eq!(named, Limit::Generator { busy: Some(0.7), part: Some(1) });
    // However late one of them was: the server had no time left.
    let server = limit(&primaries([0.3, 0.95, 0.3]), &several(Some(late)), true);
    assert_eq!(server, Limit::Server { primary: "127.0.0.1:7001".into(), busy: 0.95 });
}

#[test]
fn servers_that_use_more_of_shared_cores_than_all_generators_together_are_the_limit() {
    let named = |generators: f64, servers: f64| {
        let resources = Resources { generators: Some(generators), ..used(0.6, servers, 3.6, true) };
        limit(&primaries([0.5, 0.5, 0.4]), &Resources { cores: 4, ..resources }, true)
    };
    assert!(matches!(named(1.2, 2.2), Limit::ServersOnSharedCores { .. }), "three main threads");
    // Each of them for itself used less than the servers.
    assert!(matches!(named(2.0, 1.4), Limit::Generator { .. }));
}

#[test]
fn other_programs_are_named_where_they_take_the_generators_cores() {
    let idle = primaries([0.05, 0.05, 0.05]);
    for same_machine in [true, false] {
        let resources = used(0.06, 0.15, 1.2, same_machine);
        assert!(matches!(limit(&idle, &resources, true), Limit::OtherPrograms { .. }));
        // In time, but the servers' cores are the ones that are gone.
        let disturbed = matches!(limit(&idle, &resources, false), Limit::OtherPrograms { .. });
        assert_eq!(disturbed, same_machine);
    }
    assert!(matches!(limit(&idle, &used(0.06, 0.15, 0.4, true), true), Limit::Generator { .. }));
}

#[test]
fn cores_that_the_host_took_are_its_own_unless_a_main_thread_had_no_time() {
    let stolen = |cores: f64| Resources { stolen: Some(cores), ..used(0.2, 0.9, 1.2 + cores, true) };
    for late in [true, false] {
        let named = limit(&primaries([0.4, 0.3, 0.3]), &stolen(0.3), late);
        assert_eq!(named, Limit::Host { stolen: 0.3, cores: 2 });
        assert!(named.is_not_the_clusters());
        let saturated = limit(&primaries([0.95, 0.3, 0.3]), &stolen(0.3), late);
        assert!(matches!(saturated, Limit::Server { .. }));
    }
    assert!(matches!(limit(&primaries([0.4, 0.3, 0.3]), &stolen(0.03), true), Limit::Generator { .. }));
    assert!((stolen(0.3).others().unwrap() - 0.1).abs() < 1e-9, "what it took is not other programs'");
}

#[test]
fn servers_with_cores_of_their_own_are_the_limit_when_those_are_used_up() {
    let bound = |servers: f64| Resources { server_cores: Some(1), ..used(0.3, servers, servers + 0.3, true) };
    let named = |servers: f64| limit(&primaries([0.3, 0.3, 0.3]), &bound(servers), false);
    assert_eq!(named(0.97), Limit::ServersOnTheirCores { servers: 0.97, waited: None, cores: 1 });
    assert!(!named(0.97).is_not_the_clusters());
    assert!(matches!(named(0.6), Limit::ServersOnTheirCores { .. }), "a queue before saturation");
    assert_eq!(named(0.3), Limit::ServiceLevel);
    let late = limit(&primaries([0.3, 0.3, 0.3]), &bound(0.6), true);
    assert!(matches!(late, Limit::Generator { .. }), "they do not take the generator's core");
}

/// Whatever cores they get, they use. That they wait for one is no matter of polling.
#[test]
fn servers_that_poll_are_short_of_cores_only_where_they_wait_for_one() {
    let named = |polling: bool, waited: f64, server_cores: Option<u32>| {
        let resources = used(0.95, 1.0, 1.95, true);
        let resources = Resources { polling, servers_waited: Some(waited), server_cores, ..resources };
        limit(&[], &resources, true)
    };
    for (cores, shared) in [(Some(1), false), (None, true)] {
        let servers = |limit: &Limit| match limit {
            Limit::ServersOnTheirCores { .. } => !shared,
            Limit::ServersOnSharedCores { .. } => shared,
            _ => false,
        };
        let all = [named(false, 0.1, cores), named(true, 0.4, cores), named(true, 0.1, cores)];
        assert!(servers(&all[0]) && servers(&all[1]), "{all:?}");
        assert_eq!(all[2], Limit::Generator { busy: Some(0.95), part: None });
    }
}

#[test]
fn what_limits_servers_that_poll_is_not_told_where_nothing_else_was_busy() {
    let named = |polling: bool| limit(&[], &Resources { polling, ..used(0.2, 1.0, 1.2, true) }, false);
    assert!(matches!(named(false), Limit::ServersOnSharedCores { .. }), "{:?}", named(false));
    assert_eq!(named(true), Limit::PollingServers);
    assert!(!named(true).is_not_the_clusters());
    let busy = PrimaryLoad { busy: None, ..primaries([0.0; 3]).remove(0) };
    assert_eq!(limit(&[busy], &used(0.2, 0.3, 0.5, true), false), Limit::ServiceLevel);
}

#[test]
fn a_quota_that_holds_threads_back_is_not_the_clusters_fault() {
    let named = |throttled: f64| {
        let resources = Resources { throttled: Some(throttled), ..used(0.2, 0.9, 1.0, true) };
        limit(&primaries([0.4, 0.3, 0.3]), &resources, true)
    };
    assert_eq!(named(0.3), Limit::Quota { held_back: 0.3 });
    assert!(named(0.3).is_not_the_clusters());
    assert!(matches!(named(0.0), Limit::Generator { .. }));
}

#[test]
fn a_queue_before_saturation_is_the_servers_and_none_is_the_service_level() {
    let resources = used(0.2, 1.0, 1.2, false);
    assert!(matches!(limit(&primaries([0.7, 0.2, 0.2]), &resources, false), Limit::Server { .. }));
    assert_eq!(limit(&primaries([0.3, 0.2, 0.2]), &resources, false), Limit::ServiceLevel);
    let crowded = used(0.2, 1.0, 1.2, true);
    let shared = limit(&primaries([0.3, 0.3, 0.3]), &crowded, false);
    assert!(matches!(shared, Limit::ServersOnSharedCores { .. }), "{shared:?}");
    let named = |waited: f64| {
        let resources = Resources { servers_waited: Some(waited), ..used(0.1, 0.7, 0.84, true) };
        limit(&primaries([0.2, 0.2, 0.2]), &resources, false)
    };
    assert!(matches!(named(0.24), Limit::ServersOnSharedCores { .. }));
    assert_eq!(named(0.14), Limit::ServiceLevel);
    // What replicas use is no time in which primaries ran.
    let replicated =
        Resources { primaries: Some(0.4), servers_waited: Some(0.14), ..used(0.1, 0.7, 0.84, true) };
    let shared = limit(&primaries([0.2, 0.1, 0.1]), &replicated, false);
    assert!(matches!(shared, Limit::ServersOnSharedCores { .. }), "{shared:?}");
    assert_eq!(limit(&[], &Resources::default(), false), Limit::ServiceLevel);
}
