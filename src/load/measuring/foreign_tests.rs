use super::*;
use crate::valkey::SentTo;

fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|(name, calls)| ((*name).to_owned(), *calls)).collect()
}

fn window(shared: bool, calls: &[(&str, u64)]) -> (Others, CounterDelta) {
    let bounds = CallBounds::from([("hset".into(), Some(3)), ("smembers".into(), None)]);
    let mut others = Others { bounds, ..Others::new(shared, Opened::ByTheTool) };
    let mut delta = CounterDelta {
        calls: counts(calls),
        sent: counts(&[("fcall", 10), ("hget", 10), ("info", 2), ("config|get", 1)]),
        ..CounterDelta::default()
    };
    others.window("a:1", &mut delta, (&Incidents::default(), false));
    (others, delta)
}

#[test]
fn what_functions_may_read_themselves_is_told() {
    let bounds = CallBounds::from([("hget".into(), Some(2)), ("hmget".into(), None)]);
    let mut others = Others { bounds, ..Others::new(false, Opened::ByTheTool) };
    let mut delta = CounterDelta {
        calls: counts(&[("fcall", 10), ("hget", 30), ("hmget", 7)]),
        sent: counts(&[("fcall", 10), ("hget", 10)]),
        ..CounterDelta::default()
    };
    others.window("a:1", &mut delta, (&Incidents::default(), false));
    assert_eq!(delta.by_functions, counts(&[("hget", 20), ("hmget", 7)]));
}

/// Beside claims alone they are looked for where the record is judged.
#[test]
fn hashes_that_somebody_else_reads_in_churn_are_strange() {
    let found = |mode, each: Option<u64>, calls: &[(&str, u64)]| {
        let bounds = CallBounds::from([("hget".into(), each)]);
        let mut others = Others { bounds, ..Others::new(false, Opened::ByTheTool).in_mode(mode) };
        let mut delta = CounterDelta {
            calls: counts(calls),
            sent: counts(&[("fcall", 10), ("hget", 10), ("hmget", 4)]),
            ..CounterDelta::default()
        };
        others.window("a:1", &mut delta, (&Incidents::default(), false));
        others.foreign.get("a:1").cloned().unwrap_or_default()
    };
    let (quiet, strange) =
        ([("fcall", 10), ("hget", 20), ("hmget", 4)], [("fcall", 12), ("hget", 23), ("hmget", 9)]);
    for mode in [Mode::Churn, Mode::Storm] {
        assert_eq!(found(mode, Some(1), &quiet), counts(&[]));
        assert_eq!(found(mode, Some(1), &strange), counts(&[("hget", 3), ("hmget", 5)]));
        assert_eq!(found(mode, None, &strange), counts(&[("hmget", 5)]), "a function may read any number");
    }
    assert_eq!(found(Mode::Staged, Some(1), &strange), counts(&[]));
}

#[test]
fn claims_and_the_tools_own_questions_are_nobody_elses() {
    let calls = [
        ("fcall", 10),
        ("hget", 10),
        ("hset", 30),
        ("smembers", 99),
        ("info", 2),
        ("config|get", 1),
        ("replconf", 3),
    ];
    let (others, delta) = window(false, &calls);
    assert_eq!((others.invalid_reasons(), others.warnings()), (vec![], vec![]));
    assert!(!delta.calls.contains_key("info") && !delta.sent.contains_key("info"), "{delta:?}");
}

#[test]
fn foreign_commands_make_a_run_invalid_or_are_a_warning() {
    let calls = [("fcall", 10), ("hget", 10), ("hset", 31), ("info", 5), ("client|list", 4), ("set", 7)];
    let commands = counts(&[("hset", 1), ("info", 3), ("client|list", 4), ("set", 7)]);
    let primary = || "a:1".to_owned();
    let (alone, _) = window(false, &calls);
    let reason = InvalidReason::ForeignCommands { primary: primary(), commands: commands.clone() };
    assert_eq!((alone.invalid_reasons(), alone.warnings()), (vec![reason], vec![]));
    let (shared, _) = window(true, &calls);
    assert_eq!(shared.invalid_reasons(), []);
    assert_eq!(shared.warnings(), [Warning::ForeignCommands { primary: primary(), commands }]);
    let (shared, _) = window(true, &[("fcall", 12)]);
    let commands = counts(&[("fcall", 2)]);
    assert_eq!(shared.warnings(), [Warning::ForeignCommands { primary: primary(), commands }]);
}

#[test]
fn keys_of_slots_that_arrive_are_nobodys_and_other_commands_still_are() {
    let found = |received| {
        let bounds = CallBounds::from([("hset".into(), Some(3))]);
        let mut others = Others { bounds, ..Others::new(false, Opened::ByTheTool) };
        let calls = [("fcall", 10), ("hset", 500), ("restore-asking", 80), ("select", 1), ("keys", 2)];
        let mut delta =
            CounterDelta { calls: counts(&calls), sent: counts(&[("fcall", 10)]), ..CounterDelta::default() };
        others.window("a:1", &mut delta, (&Incidents::default(), received));
        others.foreign.get("a:1").cloned().unwrap_or_default()
    };
    assert_eq!(found(true), counts(&[("keys", 2)]));
    assert_eq!(found(false), counts(&[("hset", 470), ("keys", 2), ("restore-asking", 80), ("select", 1)]));
}

#[test]
fn where_claims_are_alike_a_few_foreign_calls_do_not_hide_below_the_bound() {
    let bounds =
        CallBounds::from([("sadd".into(), Some(1)), ("zadd".into(), Some(3)), ("hgetall".into(), Some(2))]);
    let of = |calls: &[(&str, u64)]| {
        let mut others =
            Others { bounds: bounds.clone(), uniform: true, ..Others::new(false, Opened::ByTheTool) };
        let mut delta =
            CounterDelta { calls: counts(calls), sent: counts(&[("fcall", 100)]), ..CounterDelta::default() };
        others.window("a:1", &mut delta, (&Incidents::default(), false));
        others.foreign.get("a:1").cloned().unwrap_or_default()
    };
    assert_eq!(of(&[("sadd", 100), ("zadd", 200), ("hgetall", 200)]), counts(&[]));
    assert_eq!(of(&[("sadd", 100), ("zadd", 203), ("hgetall", 200)]), counts(&[("zadd", 3)]));
    assert_eq!(of(&[("sadd", 103), ("zadd", 200), ("hgetall", 200)]), counts(&[("sadd", 3)]));
    // Ten were refused after their first look.
    assert_eq!(of(&[("sadd", 90), ("zadd", 180), ("hgetall", 190)]), counts(&[]));
}

#[test]
fn other_clients_are_named_as_a_reason_or_a_warning_and_a_monitor_as_a_warning() {
    let client = || Client { addr: "10.0.0.9:5000".to_owned(), name: "app".to_owned() };
    let addr = crate::valkey::NodeAddr { host: "10.0.0.1".to_owned(), port: 6379 };
    let strangers = |asked| Strangers { addr: addr.clone(), asked, monitors: vec![client()], arrived: 0 };
    let others = |shared, asked| Others {
        strangers: vec![strangers(asked)],
        ..Others::new(shared, Opened::ByTheTool)
    };
    let primary = || "10.0.0.1:6379".to_owned();
    let named = |commands| vec![foreign_client(&client(), commands)];
    let monitored = || Warning::Monitored { primary: primary(), clients: named(0) };

    let alone = others(false, vec![(client(), 7)]);
    let asked = InvalidReason::ForeignClients { primary: primary(), clients: named(7) };
    assert_eq!(alone.invalid_reasons(), [asked]);
    assert_eq!(alone.warnings(), [monitored()]);
    let shared = others(true, vec![(client(), 7)]);
    assert_eq!(shared.invalid_reasons(), []);
    let used = Warning::ForeignClients { primary: primary(), clients: named(7) };
    assert_eq!(shared.warnings(), [used, monitored()]);
    // Connected, and silent.
    assert_eq!(others(false, vec![]).invalid_reasons(), []);
}

#[test]
fn who_came_and_left_is_told_where_counts_could_hide_what_it_asked() {
    let addr = crate::valkey::NodeAddr { host: "10.0.0.1".to_owned(), port: 6379 };
    let others = |shared, uniform, opened| {
        let stayed = Strangers { addr: addr.clone(), asked: Vec::new(), monitors: Vec::new(), arrived: 2 };
        let mut others = Others { uniform, strangers: vec![stayed], ..Others::new(shared, opened) };
        others.came("10.0.0.1:6379", 1);
        others.came("10.0.0.1:6379", 4);
        others.came("10.0.0.2:6379", 0);
        (others.invalid_reasons(), others.warnings())
    };
    let (primary, connections) = ("10.0.0.1:6379".to_owned(), 3);
    let reason = InvalidReason::PassingClients { primary: primary.clone(), connections };
    let warning = Warning::PassingClients { primary, connections };
    assert_eq!(others(false, false, Opened::ByTheTool), (vec![reason], vec![]));
    assert_eq!(others(true, false, Opened::ByTheTool), (vec![], vec![warning]));
    assert_eq!(others(false, true, Opened::ByTheTool), (vec![], vec![]));
    assert_eq!(others(false, false, Opened::BySdk), (vec![], vec![]));
    assert_eq!(others(false, false, Opened::ByServers), (vec![], vec![]));
}

#[test]
fn incidents_are_named_one_by_one() {
    let (mut others, mut delta) = window(false, &[]);
    let incidents = Incidents { evicted_keys: 3, out_of_memory: 2, forks: 1 };
    others.window("b:2", &mut delta, (&incidents, false));
    others.swapped(9);
    let primary = || "b:2".to_owned();
    assert_eq!(
        others.invalid_reasons(),
        [
            InvalidReason::Evicted { primary: primary(), keys: 3 },
            InvalidReason::OutOfMemory { primary: primary(), commands: 2 }
        ]
    );
    assert_eq!(
        others.warnings(),
        [Warning::Forked { primary: primary(), times: 1 }, Warning::Swapping { pages: 9 }]
    );
}

#[test]
fn what_workers_of_their_own_send_is_nobody_elses_and_strangers_are() {
    let client = || Client { addr: "10.0.0.9:5000".to_owned(), name: "app".to_owned() };
    let addr = crate::valkey::NodeAddr { host: "10.0.0.1".to_owned(), port: 6379 };
    let mut others = Others::new(false, Opened::Workers);
    let mut delta = CounterDelta {
        calls: counts(&[("fcall", 10), ("hget", 20), ("exists", 10)]),
        sent: counts(&[("fcall", 10), ("hget", 10)]),
        ..CounterDelta::default()
    };
    others.window("a:1", &mut delta, (&Incidents::default(), false));
    assert_eq!(others.invalid_reasons(), []);
    let asked = vec![(client(), 7)];
    others.strangers = vec![Strangers { addr, asked, monitors: Vec::new(), arrived: 0 }];
    let clients = vec![foreign_client(&client(), 7)];
    assert_eq!(
        others.invalid_reasons(),
        [InvalidReason::ForeignClients { primary: "10.0.0.1:6379".to_owned(), clients }]
    );
}

/// What a refused run says that it asked is no stranger's, and a call more is.
#[test]
fn what_a_refused_run_asked_is_known_and_a_call_beyond_it_is_strange() {
    let addr = crate::valkey::NodeAddr { host: "10.0.0.1".to_owned(), port: 6379 };
    let found = |shared, foreign: &[(&str, u64)], visits: u64| {
        let nothing = SentTo::nothing(addr.clone());
        let asked = SentTo { sent: counts(&[("mget", 1), ("time", 1)]), connections: 2, ..nothing };
        let visit = Visit { process: "process 7 on there".to_owned(), asked: vec![asked] };
        let mut others = Others {
            foreign: [(addr.to_string(), counts(foreign))].into(),
            came: [(addr.to_string(), 3)].into(),
            ..Others::new(shared, Opened::ByTheTool)
        };
        others.visited(vec![visit; visits as usize]);
        (others.invalid_reasons(), others.warnings())
    };
    let primary = || addr.to_string();
    let visited = |commands| Warning::Visited { processes: vec!["process 7 on there".to_owned()], commands };
    let passing = |connections| InvalidReason::PassingClients { primary: primary(), connections };
    // Nobody left a card.
    let strange = |commands: &[(&str, u64)]| InvalidReason::ForeignCommands {
        primary: primary(),
        commands: counts(commands),
    };
    assert_eq!(
        found(false, &[("mget", 1), ("time", 1)], 0),
        (vec![strange(&[("mget", 1), ("time", 1)]), passing(3)], vec![])
    );
    assert_eq!(found(false, &[("mget", 1), ("time", 1)], 1), (vec![passing(1)], vec![visited(2)]));
    assert_eq!(found(false, &[("mget", 2), ("time", 2)], 2), (vec![], vec![visited(4)]));
    // One more than it says, and something that it does not say.
    let (reasons, warnings) = found(false, &[("get", 1), ("mget", 2)], 1);
    assert_eq!((reasons[0].clone(), warnings), (strange(&[("get", 1), ("mget", 1)]), vec![visited(1)]));
    // Beside a window.
    assert_eq!(found(false, &[], 2), (vec![], vec![]));
    let (reasons, warnings) = found(true, &[("mget", 2)], 1);
    let foreign = Warning::ForeignCommands { primary: primary(), commands: counts(&[("mget", 1)]) };
    let passing = Warning::PassingClients { primary: primary(), connections: 1 };
    assert_eq!((reasons, warnings), (vec![], vec![visited(1), foreign, passing]));
}
