//! Tests of hostile trees: links, special files, names that are not UTF-8, files that change while they are copied.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::*;

struct Place {
    dir: tempfile::TempDir,
    sink: ArtifactSink,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("from")).unwrap();
        std::fs::create_dir_all(dir.path().join("to")).unwrap();
        let sink = ArtifactSink::new(dir.path().join("to"));
        Self { dir, sink }
    }

    fn from(&self, name: &str) -> PathBuf {
        self.dir.path().join("from").join(name)
    }

    fn put(&self, name: &str, content: &str) {
        let path = self.from(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn copy(&self) -> TreeReport {
        let root = folder::open_root(&self.dir.path().join("from")).unwrap();
        copy_tree(&root, "edge_functions", Category::EdgeFunctions, &self.sink).unwrap()
    }

    fn copied(&self) -> Vec<String> {
        self.sink.artifacts().into_iter().map(|a| a.path).collect()
    }
}

#[test]
fn structure_and_content_are_kept() {
    let place = Place::new();
    place.put("hello/index.ts", "serve()");
    place.put("hello/deno.json", "{}");
    place.put("_shared/cors.ts", "");
    place.put("import_map.json", "{\"imports\":{}}");
    let report = place.copy();
    assert_eq!(report.files, ["_shared/cors.ts", "hello/deno.json", "hello/index.ts", "import_map.json"]);
    assert_eq!(std::fs::read(place.dir.path().join("to/edge_functions/hello/index.ts")).unwrap(), b"serve()");
    assert_eq!(report.bytes, 7 + 2 + 14);
    assert!(report.gaps.is_empty() && report.links.is_empty() && report.names.is_empty());
}

#[test]
fn threat_11_links_are_recorded_and_not_followed() {
    let place = Place::new();
    place.put("real/index.ts", "x");
    std::fs::write(place.dir.path().join("outside"), "canary").unwrap();
    symlink("../outside", place.from("file_link")).unwrap();
    symlink("/etc", place.from("folder_link")).unwrap();
    symlink("gone\nagain", place.from("broken")).unwrap();
    let report = place.copy();
    assert_eq!(report.files, ["real/index.ts"]);
    let targets: Vec<&str> = report.links.iter().map(|l| l["target"].as_str().unwrap()).collect();
    assert_eq!(targets, ["gone\nagain", "../outside", "/etc"]);
    assert_eq!(place.copied(), ["edge_functions/real/index.ts"]);
}

#[test]
fn names_that_are_not_utf8_are_stored_and_mapped() {
    let place = Place::new();
    let folder = place.dir.path().join("from").join(OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a\nb.ts"), "x").unwrap();
    let report = place.copy();
    assert_eq!(report.files, ["caf%E9/a%0Ab.ts"]);
    assert_eq!(report.names.len(), 2);
    assert_eq!(report.names[0]["name_hex"], "636166e9");
    assert_eq!(report.names[1]["name"], "a\nb.ts");
}

#[test]
fn special_files_are_never_opened() {
    let place = Place::new();
    place.put("x", "x");
    let socket = std::os::unix::net::UnixListener::bind(place.from("socket")).unwrap();
    let root = folder::open_root(&place.dir.path().join("from")).unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(&root, "pipe", fifo, rustix::fs::Mode::from_raw_mode(0o600), 0).unwrap();
    let report = place.copy(); // opening the pipe would hang
    assert_eq!(report.files, ["x"]);
    let why: Vec<&str> = report.left_out.iter().map(|l| l["why"].as_str().unwrap()).collect();
    assert_eq!(why, ["named pipe", "socket"]);
    drop(socket);
}

#[test]
fn environment_files_give_names_and_no_values() {
    let place = Place::new();
    place.put(".env", "STRIPE_KEY=canary\n");
    place.put("pay/.env.local", "A=canary");
    place.put("pay/index.ts", "");
    place.put("node_modules/x/index.js", "");
    place.put(".git/config", "");
    let report = place.copy();
    assert_eq!(report.files, ["pay/index.ts"]);
    let text = serde_json::to_string(&report.left_out).unwrap();
    assert!(text.contains("STRIPE_KEY") && !text.contains("canary"));
    assert_eq!(report.left_out.len(), 4);
}

#[test]
fn a_file_that_grows_is_copied_to_its_length() {
    let place = Place::new();
    place.put("log", "12345");
    let root = folder::open_root(&place.dir.path().join("from")).unwrap();
    let (mut file, stat) = folder::open_file(root.as_fd(), c"log").unwrap();
    std::fs::write(place.from("log"), "1234567890").unwrap();
    let out = place.sink.create("log", Category::Project).unwrap();
    let artifact = copy_open_file(&mut file, &stat, out).unwrap().unwrap();
    assert_eq!(artifact.bytes, 5);
    assert_eq!(std::fs::read(place.sink.root().join("log")).unwrap(), b"12345");
}

#[test]
fn a_file_that_shrinks_leaves_nothing_behind() {
    let place = Place::new();
    place.put("x", "1234567890");
    let root = folder::open_root(&place.dir.path().join("from")).unwrap();
    let (mut file, stat) = folder::open_file(root.as_fd(), c"x").unwrap();
    std::fs::write(place.from("x"), "1").unwrap();
    let out = place.sink.create("x", Category::Project).unwrap();
    assert!(copy_open_file(&mut file, &stat, out).unwrap().is_err());
    assert!(!place.sink.root().join("x").exists());
    assert!(place.copied().is_empty());
}

#[test]
fn a_file_that_vanishes_is_an_error_of_that_file_alone() {
    let place = Place::new();
    place.put("a", "a");
    place.put("b", "b");
    let root = folder::open_root(&place.dir.path().join("from")).unwrap();
    let mut report = TreeReport::default();
    walk(root.as_fd(), &mut |entry| {
        let Ok(entry) = entry else { return Ok(false) };
        if entry.name == c"a" {
            std::fs::remove_file(place.from("a")).unwrap();
        }
        copy_entry(&entry, "edge_functions", Category::EdgeFunctions, &place.sink, &mut report)
    })
    .unwrap();
    assert_eq!(report.files, ["b"]);
    assert_eq!(report.gaps[0].what, "edge_functions/a");
}

#[test]
fn an_unreadable_file_or_folder_is_a_gap() {
    let place = Place::new();
    place.put("closed/x", "x");
    place.put("secret", "x");
    place.put("open", "x");
    let mode = |name: &str, mode| {
        std::fs::set_permissions(place.from(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("closed", 0);
    mode("secret", 0);
    let reads_all = std::fs::File::open(place.from("secret")).is_ok(); // root does
    let report = place.copy();
    mode("closed", 0o700);
    assert!(report.files.contains(&"open".to_string()));
    assert_eq!(report.gaps.len(), if reads_all { 0 } else { 2 });
}

#[test]
fn a_tree_that_is_too_deep_is_a_gap_not_a_crash() {
    let place = Place::new();
    let deep: PathBuf = (0..DEEPEST + 5).map(|_| "d").collect();
    std::fs::create_dir_all(place.from("").join(&deep)).unwrap();
    std::fs::write(place.from("").join(Path::new("top")), "x").unwrap();
    let report = place.copy();
    assert_eq!(report.files, ["top"]);
    assert_eq!(report.gaps.len(), 1);
    assert!(report.gaps[0].why.contains("deep"));
}

#[test]
fn the_record_lies_beside_the_copy() {
    let place = Place::new();
    place.put("links.json", "mine");
    symlink("x", place.from("link")).unwrap();
    let mut collected = Collected::default();
    place.copy().record("edge_functions", Category::EdgeFunctions, &place.sink, &mut collected).unwrap();
    assert_eq!(place.copied(), ["edge_functions/links.json", "project/edge_functions/links.json"]);
    assert_eq!(collected.counts["edge_functions_links"], 1);
}
