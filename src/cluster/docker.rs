//! The Docker daemon of this machine: how it is reached, and a container's life.

use std::env::var_os;
use std::path::PathBuf;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::exec::StartExecResults;
use bollard::models::{ContainerCreateBody, ExecConfig};
use bollard::query_parameters::{
    CreateContainerOptions, CreateImageOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
};
use futures_util::TryStreamExt as _;

/// Where the daemon listens for everybody.
const SOCKET: &str = "/var/run/docker.sock";
const NOT_FOUND: u16 = 404;
/// Making a container, pulling its image included.
const CREATE_LIMIT: Duration = Duration::from_mins(5);

/// Reaches the daemon that `DOCKER_HOST` names, else the machine's, else this user's own. It answers, in a
/// version that both know.
pub(super) async fn connect() -> Result<Docker, String> {
    let docker = match var_os("DOCKER_HOST") {
        Some(_) => Docker::connect_with_defaults(),
        None => Docker::connect_with_host(&format!("unix://{}", socket().display())),
    };
    docker.map_err(|error| error.to_string())?.negotiate_version().await.map_err(|error| error.to_string())
}

/// The machine's socket, or that of a daemon that this user runs without root; the first where there is none.
fn socket() -> PathBuf {
    let own = [
        ("XDG_RUNTIME_DIR", "docker.sock"),
        ("XDG_RUNTIME_DIR", ".docker/run/docker.sock"),
        ("HOME", ".docker/run/docker.sock"),
        ("HOME", ".docker/desktop/docker.sock"),
    ];
    let own = own.into_iter().filter_map(|(dir, socket)| Some(PathBuf::from(var_os(dir)?).join(socket)));
    let mut sockets = std::iter::once(PathBuf::from(SOCKET)).chain(own);
    sockets.find(|socket| socket.exists()).unwrap_or_else(|| PathBuf::from(SOCKET))
}

/// Makes a container, whose image is pulled where it is not there; returns its id.
pub(super) async fn create(docker: &Docker, container: ContainerCreateBody) -> Result<String, String> {
    let create = || docker.create_container(None::<CreateContainerOptions>, container.clone());
    let made = async {
        match create().await {
            Err(Error::DockerResponseServerError { status_code: NOT_FOUND, .. }) => {
                pull(docker, container.image.as_deref().unwrap_or_default()).await?;
                create().await
            }
            made => made,
        }
    };
    let made = tokio::time::timeout(CREATE_LIMIT, made).await;
    let made = made.map_err(|_| format!("it was not there after {CREATE_LIMIT:?}"))?;
    made.map(|made| made.id).map_err(|error| error.to_string())
}

/// Without a login: who needs one has the image pulled before.
async fn pull(docker: &Docker, image: &str) -> Result<(), Error> {
    let options = CreateImageOptionsBuilder::new().from_image(&tagged(image)).build();
    docker.create_image(Some(options), None, None).try_for_each(async |_| Ok(())).await
}

/// An image with its tag: without one, Docker would pull all that there are. `registry:5000/valkey` has none,
/// `valkey:9` has one.
fn tagged(image: &str) -> String {
    let last = image.rsplit_once('/').map_or(image, |(_, last)| last);
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

/// Starts a container that was made.
pub(super) async fn start(docker: &Docker, id: &str) -> Result<(), String> {
    docker.start_container(id, None::<StartContainerOptions>).await.map_err(|error| error.to_string())
}

/// Runs a shell's commands in a container; ending well is doing it.
pub(super) async fn run(docker: &Docker, id: &str, commands: String) -> Result<(), String> {
    // A shell is there, and has kill; a program of that name may not be.
    let cmd = Some(vec!["sh".to_owned(), "-c".to_owned(), commands]);
    let exec =
        ExecConfig { cmd, attach_stdout: Some(true), attach_stderr: Some(true), ..ExecConfig::default() };
    let id = docker.create_exec(id, exec).await.map_err(|error| error.to_string())?.id;
    let mut output = String::new();
    if let StartExecResults::Attached { output: mut printed, .. } =
        docker.start_exec(&id, None).await.map_err(|error| error.to_string())?
    {
        while let Some(part) = printed.try_next().await.map_err(|error| error.to_string())? {
            output.push_str(&part.to_string());
        }
    }
    match docker.inspect_exec(&id).await.map_err(|error| error.to_string())?.exit_code {
        Some(0) => Ok(()),
        Some(code) => Err(format!("its shell ended with {code}: {}", output.trim_end())),
        None => Err("its shell has not ended".to_owned()),
    }
}

/// Removes a container, also one that runs. Fails where Docker has removed it already.
pub(super) async fn remove(docker: &Docker, id: &str) -> Result<(), Error> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    docker.remove_container(id, Some(options)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_a_registry_is_no_tag() {
        for (image, pulled) in [
            ("valkey/valkey:9", "valkey/valkey:9"),
            ("host:5000/valkey", "host:5000/valkey:latest"),
            ("valkey", "valkey:latest"),
            ("host:5000/valkey@sha256:12", "host:5000/valkey@sha256:12"),
        ] {
            assert_eq!(tagged(image), pulled);
        }
    }
}
