//! The throw-away cluster against real server programs: as root and as nobody, dropped, cancelled, killed, kept.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{is_root, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use stacksnap::model::cancel::{Cancel, CancelReason};
use stacksnap::model::failure::FailureKind;
use stacksnap::pg::session::Session;
use stacksnap::pgtools::client::SearchPlaces;
use stacksnap::pgtools::cluster::settings::Locale;
use stacksnap::pgtools::cluster::{Cluster, ClusterRequest, servers};
use stacksnap::proc::other;

/// Where the child of a test writes the folder of its cluster; its parent is the folder for the cluster.
const CHILD: &str = "STACKSNAP_TEST_CLUSTER_CHILD";

/// A folder that every user can get into and write to.
fn parent() -> tempfile::TempDir {
    let dir = tempfile::Builder::new().prefix("c").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
    dir
}

fn request(parent: &Path) -> ClusterRequest {
    let named = std::env::var_os("STACKSNAP_TEST_BIN").map(PathBuf::from);
    let named = named.expect("STACKSNAP_TEST_BIN is not set: eval \"$(scripts/pg.sh start DIR 15)\"");
    let programs = SearchPlaces { named: Some(named.clone()), path: vec!["/usr/bin".into(), "/bin".into()] };
    let server = servers::find(&programs).into_iter().find(|s| s.bin == named).expect("a server in STACKSNAP_TEST_BIN");
    ClusterRequest {
        programs,
        parents: vec![parent.to_path_buf()],
        source_version_num: server.major * 10_000 + 1,
        superuser: "supabase_admin".to_string(),
        locale: Locale::plain("UTF8"),
        data_bytes: 1 << 20,
        connections: 4,
    }
}

fn left_in(parent: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(parent).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect()
}

#[tokio::test]
async fn trap_24_a_cluster_is_up_in_seconds_private_and_gone_afterwards() {
    let dir = parent();
    let cluster = Cluster::start(&request(dir.path()), &Cancel::new()).unwrap();
    let (place, pid) = (cluster.place().to_path_buf(), cluster.pid().unwrap());
    for folder in ["data", "socket"] {
        assert_eq!(std::fs::metadata(place.join(folder)).unwrap().permissions().mode() & 0o777, 0o700, "{folder}");
    }
    let session = Session::open(&cluster.connection("postgres"), "test").await.unwrap();
    let row = session
        .one(
            "SELECT current_user::text, rolsuper, current_setting('listen_addresses'), current_setting('fsync'),
                    current_setting('server_encoding'), current_setting('data_directory'), oid = 10
             FROM pg_roles WHERE rolname = current_user",
            &[],
        )
        .await
        .unwrap();
    let text = |n: usize| row.get::<_, String>(n);
    assert_eq!((text(0).as_str(), row.get::<_, bool>(1), text(2).as_str()), ("supabase_admin", true, ""));
    assert_eq!((text(3).as_str(), text(4).as_str()), ("off", "UTF8"));
    assert_eq!((PathBuf::from(text(5)), row.get::<_, bool>(6)), (place.join("data"), true));
    // Nothing that a stack has needs more than the lowest wal_level, and nobody answers a subscription.
    session
        .execute(
            "CREATE TABLE public.t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE public.t;
             CREATE SUBSCRIPTION s CONNECTION 'host=192.0.2.1 dbname=x' PUBLICATION p WITH (connect = false, slot_name = 'x');
             ALTER SUBSCRIPTION s ENABLE",
        )
        .await
        .unwrap();
    let workers: i64 = session
        .one("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE '%logical%'", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(workers, 0);
    drop(session);
    drop(cluster);
    assert!(!place.exists() && other::began(pid).is_none());
}

#[test]
fn trap_25_nobody_can_do_it_too() {
    if !is_root() {
        return;
    }
    let done = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "cluster::trap_24_a_cluster_is_up_in_seconds_private_and_gone_afterwards"])
        .current_dir("/")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && text.contains("1 passed"), "{done:?}");
}

#[test]
fn a_cancelled_start_leaves_nothing() {
    let dir = parent();
    let cancel = Cancel::new();
    let clone = cancel.clone();
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(400));
        clone.cancel(CancelReason::Interrupted);
    });
    let failure = Cluster::start(&request(dir.path()), &cancel).err();
    canceller.join().unwrap();
    if let Some(failure) = failure {
        assert_eq!(failure.kind, FailureKind::Interrupted);
    }
    assert_eq!(left_in(dir.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_way_to_sort_that_the_system_does_not_have_is_said() {
    let dir = parent();
    let locale = Locale::parse("UTF8", "xx_YY.UTF-8/xx_YY.UTF-8");
    let cluster = Cluster::start(&ClusterRequest { locale, ..request(dir.path()) }, &Cancel::new()).unwrap();
    assert!(cluster.notes.iter().any(|note| note.contains("xx_YY.UTF-8")), "{:?}", cluster.notes);
}

#[test]
fn without_server_programs_the_line_to_run_is_named() {
    let dir = parent();
    let failure =
        Cluster::start(&ClusterRequest { source_version_num: 990_000, ..request(dir.path()) }, &Cancel::new());
    let failure = failure.err().unwrap();
    assert_eq!(failure.kind, FailureKind::NotProven);
    assert!(failure.hints[0].contains("apt-get install postgresql-99"), "{failure:?}");
    let full = Cluster::start(&ClusterRequest { data_bytes: u64::MAX / 8, ..request(dir.path()) }, &Cancel::new());
    assert!(full.err().unwrap().to_string().contains("bytes are free"));
    assert_eq!(left_in(dir.path()), Vec::<PathBuf>::new());
}

/// Not a test of its own: the process that is killed.
#[test]
fn child_that_is_killed() {
    let Some(file) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let cluster = Cluster::start(&request(file.parent().unwrap()), &Cancel::new()).unwrap();
    std::fs::write(&file, format!("{}\n{}", cluster.place().display(), cluster.pid().unwrap())).unwrap();
    std::thread::sleep(Duration::from_secs(120));
}

struct Child {
    process: std::process::Child,
    place: PathBuf,
    server: u32,
}

fn start_child(parent: &Path) -> Child {
    let file = parent.join("child");
    let process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cluster::child_that_is_killed"])
        .env(CHILD, &file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the child's cluster", || std::fs::read_to_string(&file).is_ok_and(|t| t.lines().count() == 2));
    let text = std::fs::read_to_string(&file).unwrap();
    let (place, server) = text.split_once('\n').unwrap();
    Child { process, place: place.into(), server: server.parse().unwrap() }
}

fn kill(pid: u32) {
    let _ = kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL);
}

/// The guardian of a cluster, by its command line.
fn guardian_of(place: &Path) -> u32 {
    let wanted = place.to_string_lossy().into_owned();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|e| e.file_name().to_string_lossy().parse::<u32>().ok());
    let is_it = |pid: &u32| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split('\0').any(|word| word == "guardian") && line.split('\0').any(|word| word == wanted)
    };
    pids.into_iter().find(is_it).expect("a guardian")
}

#[test]
fn killed_without_a_word_the_guardian_clears_up() {
    let dir = parent();
    let mut child = start_child(dir.path());
    child.process.kill().unwrap();
    child.process.wait().unwrap();
    wait_until("the folder to go", || !child.place.exists());
    wait_until("the server to go", || other::began(child.server).is_none());
}

#[test]
fn killed_with_its_guardian_the_next_start_clears_up() {
    let dir = parent();
    let mut child = start_child(dir.path());
    kill(guardian_of(&child.place));
    child.process.kill().unwrap();
    child.process.wait().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.place.exists() && other::began(child.server).is_some(), "nobody was there to clear up");
    let cluster = Cluster::start(&request(dir.path()), &Cancel::new()).unwrap();
    assert!(!child.place.exists());
    wait_until("the server to go", || other::began(child.server).is_none());
    assert!(cluster.place().exists());
}

#[tokio::test]
async fn a_kept_one_stays_until_somebody_removes_it() {
    let dir = parent();
    let mut cluster = Cluster::start(&request(dir.path()), &Cancel::new()).unwrap();
    cluster.keep().unwrap();
    let (place, pid, spec) = (cluster.place().to_path_buf(), cluster.pid().unwrap(), cluster.connection("postgres"));
    drop(cluster);
    drop(Cluster::start(&request(dir.path()), &Cancel::new()).unwrap());
    assert!(place.exists(), "no sweep takes it");
    let session = Session::open(&spec, "test").await.unwrap();
    session.one("SELECT 1", &[]).await.unwrap();
    other::quit(pid);
    wait_until("the server to go", || other::began(pid).is_none());
}
