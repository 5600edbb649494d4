//! Common parts of `restore`, `undo`, `guard` and `drill`: target, keys, confirmation, the run with its lock and log.
//!
//! Invariant: a plan is shown before the user is asked to confirm it; without a terminal and without the name nothing
//! is started; the confirmation covers exactly the plan that was shown, by its digest.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{Globals, HowArgs};
use super::{Ended, Surroundings, block_on, clock, signals, wiring};
use crate::config::{self, Inputs, Settings, conninfo};
use crate::model::cancel::{Cancel, CancelReason};
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::visible;
use crate::model::restore::{ConfirmedPlan, RestorePlan, RestoreReport, RestoreRequest};
use crate::model::run::RunId;
use crate::monitor::Monitor;
use crate::ops::flight::{self, Clearance, Run};
use crate::ops::restore::{Options, Recovery, exit_kind, undo_command};
use crate::proc::own;
use crate::root::folder::Root;
use crate::root::lock::RootLock;
use crate::root::logs;
use crate::root::restores::{RestoreId, write_private};
use crate::snapshot::age_file::Keys;
use crate::ui::connection::{self, With};
use crate::ui::lines::{LogFile, Tee};
use crate::ui::out::{self, Ui, Verbosity, document_text};
use crate::ui::screen::screen;
use crate::ui::{error, plan, prompt, restore};

/// One restore as requested by the user.
pub struct Order<'a> {
    /// The document's name: `restore` or `undo`.
    pub verb: &'static str,
    /// The snapshot's folder.
    pub place: PathBuf,
    pub target: ConnSpec,
    pub settings: Settings,
    pub request: RestoreRequest,
    pub options: Options,
    pub confirm: Option<&'a str>,
    pub dry_run: bool,
    /// Show the whole plan.
    pub long: bool,
    pub plan_file: Option<&'a Path>,
    pub save_plan: Option<&'a Path>,
    pub timeout: Option<Duration>,
}

/// The inputs with the flags of `restore`, `undo` and `guard`.
pub fn inputs(around: &Surroundings, how: &HowArgs) -> Inputs {
    let mut inputs = wiring::inputs(&around.globals, &around.environment);
    inputs.flags.jobs = how.jobs;
    inputs.flags.lock_wait = how.lock_wait;
    inputs.flags.pg_bin = how.pg_bin.clone();
    inputs
}

/// The keys for sealed vault secrets: the configured passphrase and the file of `--seal-identity`. The passphrase also
/// seals the safety snapshot.
pub fn keys(around: &Surroundings, how: &HowArgs, inputs: &Inputs, settings: &mut Settings) -> Result<Keys> {
    settings.reveal_seal(inputs).map_err(|failure| {
        failure
            .context("nothing was written: the passphrase for the vault secrets could not be read")
            .hint("to restore without these secrets, use --config with a file that has no seal_passphrase")
    })?;
    let file = how.seal_identity.as_ref().map(|file| around.environment.path(&file.to_string_lossy()));
    let identity = file.map(|file| config::secret::private_file(&file)).transpose()?;
    let keys = Keys { passphrase: settings.seal_passphrase.clone(), identity };
    keys.check()?;
    Ok(keys)
}

/// If the snapshot is given by its path, `--root` is not given and the configured root does not exist, the parent
/// folder of the snapshot is the root: it has the key, the records and the lock.
pub fn root_of_path(around: &Surroundings, settings: &mut Settings, snapshot: &str) {
    if around.globals.root.is_some() || settings.root.is_dir() || !snapshot.contains('/') {
        return;
    }
    if let Some(parent) = std::fs::canonicalize(snapshot).ok().as_deref().and_then(Path::parent) {
        settings.root = parent.to_path_buf();
    }
}

/// Number of writing connections and of verifying threads.
pub fn jobs(settings: &Settings) -> u32 {
    let machine = || std::thread::available_parallelism().ok().and_then(|n| u32::try_from(n.get()).ok()).unwrap_or(1);
    settings.jobs.unwrap_or_else(machine)
}

/// The target of `--to` or `--target-url`: a connection string, or `env:NAME`. Nothing else can name a target.
pub fn target(around: &Surroundings, text: &str) -> Result<ConnSpec> {
    let Some(name) = text.strip_prefix("env:") else {
        if conninfo::parse(text).is_ok_and(|params| params.get("password").is_some()) {
            around.ui.say(&crate::ui::lines::warning(
                "every user of this machine can see the password in --to (ps)",
                Some("put the URL into a variable: --to env:NAME"),
            ));
        }
        return config::resolve_target(text, &around.environment);
    };
    let usage = |text: String| Failure::msg(FailureKind::Usage, text);
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(
            usage("env: must be followed by the name of a variable".into()).hint("for example: --to env:STAGING_URL")
        );
    }
    let Some(url) = around.environment.get(name) else {
        return Err(usage(format!("the variable {name} of --to is not set"))
            .hint(format!("set it: export {name}='postgresql://USER:PASSWORD@HOST:5432/DATABASE'")));
    };
    let mut target = config::resolve_target(url, &around.environment)?;
    target.origin.variable = name.to_string();
    Ok(target)
}

/// Source of the confirmation: the name given on the command line, or a prompt.
enum Yes<'a> {
    Given(&'a str),
    Ask,
}

/// Confirmation by `--confirm`, by `--yes` if the project is not protected, or on a terminal. Otherwise an error,
/// before anything is started.
fn who_says_yes<'a>(globals: &Globals, order: &'a Order<'_>, can_ask: bool) -> Result<Yes<'a>> {
    let protected = order.settings.protect.is_some();
    match order.confirm {
        Some(name) => Ok(Yes::Given(name)),
        None if globals.yes && !protected => Ok(Yes::Given(&order.target.database)),
        None if can_ask => Ok(Yes::Ask),
        None => {
            let failure = Failure::msg(FailureKind::NotConfirmed, "nothing was written: the restore was not confirmed");
            let failure = match (&order.settings.project, globals.yes) {
                (Some(project), true) => failure.hint(format!(
                    "the project {project} is protected: --yes is not enough, the name of the database is needed"
                )),
                _ => failure,
            };
            Err(failure.hint("read the plan (--dry-run), then pass the name of the target database: --confirm NAME"))
        }
    }
}

/// Executes the order.
pub fn carry(around: &Surroundings, root: &Root, order: &Order<'_>) -> Result<Ended> {
    let doing = if order.dry_run { "planning for" } else { "writing to" };
    connection::say(around.ui, doing, &order.target);
    if order.dry_run {
        return dry_run(around, root, order);
    }
    let yes = who_says_yes(&around.globals, order, prompt::can_ask())?;
    let saved = order.plan_file.map(read_plan).transpose()?;
    let (lock, run) = alone(around.ui, root, order.request.now)?;
    let log = LogFile::new(logs::open_for_writing(root.path(), &run.id)?, clock::now);
    log.write(&format!("{}: stacksnap {} writes to {}", run.id, env!("CARGO_PKG_VERSION"), order.target.display()));
    let work = Work { ui: around.ui, root, order, lock: &lock, log: &log };
    match block_on(work.run(yes, saved)) {
        Ok(report) => {
            let undo = RestoreId::parse(&report.id).map(|id| undo_command(&id, &order.target));
            let text = restore::report(&report, order.options.proof, undo.as_deref());
            log.write(&text);
            Ok(finish(around.ui, order, &report, &text))
        }
        Err(failure) => {
            log.write(&error::text(Ui::default(), &failure));
            Err(failure)
        }
    }
}

/// Takes the lock of the root and signs it with this run; `Skipped` (75) if another run holds it.
pub fn alone(ui: Ui, root: &Root, started_at: jiff::Timestamp) -> Result<(RootLock, Run)> {
    let run = Run { id: RunId::at(started_at, own::pid()), started_at, background: false };
    match flight::clear(root, &run, None, screen(ui).as_ref())? {
        Clearance::Cleared(lock) => Ok((lock, run)),
        Clearance::Skipped(report) => {
            let why = report.skipped.map(|skipped| skipped.message).unwrap_or_default();
            Err(Failure::msg(FailureKind::Skipped, why).hint(
                "nothing was done; wait for the other run (stacksnap logs latest -f), then run the same command again",
            ))
        }
    }
}

fn dry_run(around: &Surroundings, root: &Root, order: &Order<'_>) -> Result<Ended> {
    let plan = block_on(async {
        let cancel = limited(around.ui, order.timeout)?;
        let screen = screen(around.ui);
        let recovery = recovery(root, order, screen.as_ref(), &cancel);
        Ok(recovery.prepare(&order.place).await?.plan().clone())
    })?;
    save(order, &plan)?;
    if around.ui.is_text() {
        out::data(&plan::plan(&plan, order.long));
    } else {
        around.ui.document("restore_plan", &plan);
    }
    Ok(None)
}

/// A cancellation token that signals cancel.
pub fn watched(ui: Ui) -> Result<Cancel> {
    let cancel = Cancel::new();
    signals::watch(ui, &cancel).map_err(|e| Failure::from(e).context("cannot watch for signals"))?;
    Ok(cancel)
}

/// The same, also cancelled when `--timeout` expires.
pub fn limited(ui: Ui, timeout: Option<Duration>) -> Result<Cancel> {
    let cancel = watched(ui)?;
    if let Some(timeout) = timeout.filter(|timeout| !timeout.is_zero()) {
        let cancel = cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(timeout).await;
            cancel.cancel(CancelReason::Timeout);
        });
    }
    Ok(cancel)
}

fn recovery<'a>(root: &'a Root, order: &'a Order<'_>, monitor: &'a dyn Monitor, cancel: &'a Cancel) -> Recovery<'a> {
    let Order { settings, target, request, options, .. } = order;
    Recovery { root, settings, target, request, options, monitor, cancel, clock: clock::now }
}

/// A run that holds the lock.
struct Work<'a> {
    ui: Ui,
    root: &'a Root,
    order: &'a Order<'a>,
    lock: &'a RootLock,
    log: &'a LogFile,
}

impl Work<'_> {
    async fn run(&self, yes: Yes<'_>, saved: Option<RestorePlan>) -> Result<RestoreReport> {
        let (order, ui) = (self.order, self.ui);
        let cancel = limited(ui, order.timeout)?;
        // Remove the progress bars before the plan is printed and the user is asked.
        let prepared = {
            let screen = screen(ui);
            let monitor = Tee(vec![screen.as_ref(), self.log]);
            recovery(self.root, order, &monitor, &cancel).prepare(&order.place).await?
        };
        let plan = prepared.plan();
        let text = plan::plan(plan, order.long);
        self.log.write(&plan::plan(plan, true));
        let asking = matches!(yes, Yes::Ask);
        if asking || (ui.is_text() && ui.verbosity > Verbosity::Quiet) {
            out::print_stderr(&text);
        }
        save(order, plan)?;
        let digest = saved.map_or_else(|| plan.digest.clone(), |saved| saved.digest);
        if plan.is_empty() && digest == plan.digest {
            let screen = screen(ui);
            let monitor = Tee(vec![screen.as_ref(), self.log]);
            return recovery(self.root, order, &monitor, &cancel).already_equal(&prepared).await;
        }
        // If the plan changed, report that without asking for a confirmation.
        let confirmed = match yes {
            _ if digest != plan.digest => plan.clone().confirm(&plan.target.database, &digest)?,
            Yes::Given(name) => plan.clone().confirm(name, &digest)?,
            Yes::Ask => ask_for_name(plan, &cancel).await?,
        };
        let screen = screen(ui);
        let monitor = Tee(vec![screen.as_ref(), self.log]);
        recovery(self.root, order, &monitor, &cancel).carry_out(&prepared, &confirmed, self.lock).await
    }
}

/// Asks the user to type the name of the target database.
pub async fn ask_for_name(plan: &RestorePlan, cancel: &Cancel) -> Result<ConfirmedPlan> {
    let question = "Type the name of the target database to continue, anything else to stop:";
    let typed = ask(question, cancel).await?;
    plan.clone().confirm(&typed, &plan.digest)
}

/// Asks the user; Ctrl-C or the time limit ends the question with an error.
pub async fn ask(question: &str, cancel: &Cancel) -> Result<String> {
    let question = question.to_string();
    let answer = tokio::task::spawn_blocking(move || prompt::ask(&question));
    tokio::select! {
        answer = answer => {
            let answer = answer.map_err(|e| Failure::new(FailureKind::Failed, e))?;
            answer.map_err(|e| Failure::from(e).context("cannot read the answer"))
        }
        reason = cancel.cancelled() => {
            Err(Failure::msg(reason.failure_kind(), format!("{}: nothing was written", reason.sentence())))
        }
    }
}

fn save(order: &Order<'_>, plan: &RestorePlan) -> Result<()> {
    let Some(file) = order.save_plan else { return Ok(()) };
    write_private(file, format!("{}\n", document_text("restore_plan", plan)).as_bytes())
}

/// Reads a plan that `--save-plan` wrote. A file that was edited since is refused.
fn read_plan(file: &Path) -> Result<RestorePlan> {
    let shown = visible(&file.to_string_lossy());
    let text = std::fs::read_to_string(file).map_err(|e| {
        let kind = if e.kind() == std::io::ErrorKind::NotFound { FailureKind::NotFound } else { FailureKind::Failed };
        Failure::new(kind, e).context(format!("cannot read the plan {shown}"))
    })?;
    let make = "make a new plan and read it: stacksnap restore … --dry-run --save-plan FILE";
    let plan: RestorePlan = serde_json::from_str(&text).map_err(|e| {
        Failure::new(FailureKind::NotConfirmed, e)
            .context(format!("nothing was written: {shown} is not a saved restore plan"))
            .hint(make)
    })?;
    if plan.digest == plan.compute_digest() {
        return Ok(plan);
    }
    let text = format!("nothing was written: the plan {shown} was changed after it was made");
    Err(Failure::msg(FailureKind::NotConfirmed, text).hint(make))
}

fn finish(ui: Ui, order: &Order<'_>, report: &RestoreReport, text: &str) -> Ended {
    if !ui.is_text() {
        ui.document(order.verb, &With::new(&order.target, report));
    } else if ui.verbosity > Verbosity::Quiet {
        out::data(text);
    }
    exit_kind(report, order.options.proof)
}
