//! Tests that need more than a Valkey server: Docker with an image, a server that was built with TLS.
//!
//! Which of them a machine can run shows only here, so the built-in harness, which knows that at compile
//! time, does not do: what cannot run counts as ignored, with the reason. With `CI` set it fails.

mod container;
#[path = "../common/owner.rs"]
#[allow(dead_code, reason = "the live tests use all of it")]
mod owner;
mod partition;
mod servers;
#[path = "../common/support.rs"]
#[allow(dead_code, reason = "the live tests use all of it")]
mod support;
mod tls;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// A test that runs with what `find` found.
fn needing(
    name: &str,
    find: fn() -> Result<String, String>,
    run: impl FnOnce(String) + Send + 'static,
) -> Trial {
    if std::env::var_os("RECLAIM_BENCH_EQUIPPED_APART").is_some() {
        return Trial::ignorable_test(name, || {
            Ok(Completion::ignored_with("asked for apart: --test equipped"))
        });
    }
    Trial::ignorable_test(name, move || match find() {
        Ok(found) => {
            run(found);
            Ok(Completion::Completed)
        }
        Err(reason) if std::env::var_os("CI").is_some() => Err(Failed::from(reason)),
        Err(reason) => Ok(Completion::ignored_with(reason)),
    })
}

fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn containers() -> Vec<Trial> {
    vec![
        needing("a_container_cluster_works_and_leaves_nothing", container::image, |image| {
            block_on(container::a_container_cluster_works_and_leaves_nothing(image));
        }),
        needing("a_container_that_its_owner_never_started_is_swept", container::image, |image| {
            block_on(container::a_container_that_its_owner_never_started_is_swept(image));
        }),
        needing("no_container_outlives_a_killed_owner", container::image, |image| {
            container::no_container_outlives_a_killed_owner(&image);
        }),
        needing("servers_in_a_container_are_stopped_and_killed", container::image, |image| {
            block_on(container::servers_in_a_container_are_stopped_and_killed(image));
        }),
        Trial::test("an_image_that_cannot_be_had_is_named_with_the_remedy", || {
            block_on(container::an_image_that_cannot_be_had_is_named_with_the_remedy());
            Ok(())
        }),
    ]
}

fn partitions() -> Vec<Trial> {
    vec![
        needing(
            "a_server_is_cut_off_from_servers_or_from_everybody_and_comes_back",
            container::image,
            |image| {
                block_on(partition::a_server_is_cut_off_from_servers_or_from_everybody_and_comes_back(image));
            },
        ),
        needing("what_a_primary_takes_while_it_is_cut_off_is_lost_and_named", container::image, |image| {
            block_on(partition::what_a_primary_takes_while_it_is_cut_off_is_lost_and_named(image));
        }),
        needing("a_primary_that_nobody_reaches_for_a_moment_is_waited_for", container::image, |image| {
            block_on(partition::a_primary_that_nobody_reaches_for_a_moment_is_waited_for(image));
        }),
        needing("a_server_that_is_cut_off_comes_back_with_the_end_of_the_run", container::image, |image| {
            block_on(partition::a_server_that_is_cut_off_comes_back_with_the_end_of_the_run(image));
        }),
        needing("a_server_in_a_container_is_started_again", container::image, |image| {
            block_on(partition::a_server_in_a_container_is_started_again(image));
        }),
        needing("networks_of_a_killed_owner_are_removed_by_the_next_command", container::image, |image| {
            partition::networks_of_a_killed_owner_are_removed_by_the_next_command(&image);
        }),
    ]
}

fn servers_with_tls() -> Vec<Trial> {
    vec![
        needing("tls_with_a_client_certificate_works_and_without_it_is_refused", tls::server, |server| {
            block_on(tls::tls_with_a_client_certificate_works_and_without_it_is_refused(server));
        }),
        needing("a_certificate_is_checked_by_the_host_name_that_is_announced", tls::server, |server| {
            block_on(tls::a_certificate_is_checked_by_the_host_name_that_is_announced(server));
        }),
        needing("several_generators_meet_over_tls", tls::server, |server| {
            block_on(tls::several_generators_meet_over_tls(server));
        }),
        needing("two_versions_stand_in_one_result", tls::server, |server| {
            block_on(servers::two_versions_stand_in_one_result(server));
        }),
        needing("files_that_do_not_belong_together_are_named", tls::server, |_| {
            block_on(tls::files_that_do_not_belong_together_are_named());
        }),
    ]
}

fn main() -> ExitCode {
    let trials = [containers(), partitions(), servers_with_tls()].into_iter().flatten().collect();
    // One at a time: each counts the containers that it finds.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials).exit_code()
}
