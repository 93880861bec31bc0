//! Scenarios drawn at random, and text that is none.

use proptest::prelude::*;

use super::*;

fn durations(low_ms: u64, high_ms: u64) -> impl Strategy<Value = HumanDuration> {
    (low_ms..=high_ms).prop_map(HumanDuration::from_millis)
}

prop_compose! {
    fn populations()(
        executions in 2_000u32..100_000,
        lanes in 1u16..64,
        partitions in prop_oneof![
            Just(PartitionsForm::Word(PartitionsWord::Published)),
            (1u16..16_384).prop_map(PartitionsForm::Count),
        ],
        lane_skew in prop_oneof![Just(SkewForm::Uniform), (0.1f64..5.0).prop_map(SkewForm::Zipf)],
        skew in prop_oneof![Just(SkewForm::Uniform), (0.1f64..5.0).prop_map(SkewForm::Zipf)],
    ) -> PopulationSection {
        PopulationSection { executions, lanes, partitions, skew, lane_skew, payload_bytes: 0 }
    }
}

prop_compose! {
    fn interruptions()(
        signal in 0.0f64..9.0,
        timeout in 0.0f64..9.0,
        operator in 0.0f64..9.0,
        delay in 0.1f64..9.0,
    ) -> InterruptionSection {
        InterruptionSection { signal, timeout, operator, delay }
    }
}

prop_compose! {
    /// All but how many claims there are, which depends on what they are compared by.
    fn loads()(
        concurrency in prop::option::of(1u32..65_536),
        connections in 1u16..64,
        warmup in 0u64..1_000,
        timeout in durations(10, 10_000),
        task_context: bool,
        added_us in 0..=1_000_000_u64,
    ) -> LoadSection {
        let added_rtt = HumanDuration(std::time::Duration::from_micros(added_us));
        let network = NetworkSection { added_rtt };
        LoadSection {
            concurrency, connections, warmup, timeout, task_context, network, ..LoadSection::default()
        }
    }
}

prop_compose! {
    fn capacities()(
        start_rate in 1.0f64..1e5,
        resolution in 0.01f64..0.5,
        window in durations(100, 10_000),
    ) -> CapacitySection {
        CapacitySection { start_rate, window, resolution, ..CapacitySection::default() }
    }
}

/// So many variants, each of another way.
fn variants(arms: usize) -> Vec<VariantSection> {
    let paths = [
        VariantPath::GrantLane,
        VariantPath::HgetLane,
        VariantPath::HmgetLane,
        VariantPath::PipelinedLane,
        VariantPath::FullGrant,
        VariantPath::Fused,
        VariantPath::FirstClaim,
        VariantPath::BareFirstClaim,
        VariantPath::LeaseReclaim,
    ];
    (0..arms).map(|n| VariantSection::new(format!("arm-{n}"), paths[n])).collect()
}

prop_compose! {
    /// Any valid staged, closed scenario: the keys that depend on each other are drawn together.
    fn scenario_files()(
        population in populations(),
        interruption in interruptions(),
        ttl in durations(100, 3_600_000),
        lease_ttl in durations(1_000, 3_600_000),
        load in loads(),
        per_side in 10u64..50,
        strata in 2u32..20,
        noise_threshold in 0.001f64..0.5,
        arms in 1usize..10,
        slo in prop::option::of(durations(1, 1_000)),
        capacity in prop::option::of(capacities()),
        summary in "[^\\p{Cc}]{0,60}",
    ) -> ScenarioFile {
        let claims = Some(per_side * u64::from(strata) * arms as u64);
        ScenarioFile {
            schema: 1,
            name: "drawn".into(),
            summary,
            machine: MachineSection { placement: Some(Placement::Apart), cores: None },
            cluster: ClusterSection::default(),
            library: LibrarySection::default(),
            population,
            interruption,
            grant: GrantSection { ttl, unconsumed: 0.0, lease_ttl, ..GrantSection::default() },
            load: LoadSection { claims, ..load },
            compare: (arms > 1)
                .then(|| CompareSection { strata, noise_threshold, ..CompareSection::default() }),
            gate: GateSection::default(),
            variants: variants(arms),
            slo: slo.map(|bound| SloSection { response_p99: Some(bound), ..SloSection::default() }),
            faults: Vec::new(),
            capacity,
            sweep: None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_written_scenario_is_read_back_equal(mut file in scenario_files()) {
        let text = toml::to_string(&file).unwrap();
        let scenario = parse("drawn.toml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        file.resolve();
        prop_assert_eq!(scenario.file(), &file);
        prop_assert_eq!(&scenario, &Scenario::try_from(&file).unwrap());
        let json = serde_json::to_string(&file).unwrap();
        prop_assert_eq!(serde_json::from_str::<ScenarioFile>(&json).unwrap(), file);
    }

    #[test]
    fn no_text_makes_the_parser_panic(at in 0usize..400, junk in "\\PC{0,8}") {
        let mut text = BASE.to_owned();
        let at = text.floor_char_boundary(at.min(text.len()));
        text.insert_str(at, &junk);
        let _ = parse("t.toml", &text);
        let _ = Draft::new("t.toml", BASE).with(&[Override { shown: "x".into(), key: junk.clone(), value: Some(junk) }]).check();
    }
}
