//! `stacksnap guard [--rollback WHEN] -- COMMAND`: takes a snapshot, runs the command, shows its changes, rolls back.
//!
//! Invariant: the rollback restores into the connection that the snapshot was read from; this is the only exception to
//! the rule that a restore's target is given by `--to`. The root's lock is held from the snapshot to the end, so that
//! the rollback can start at once. Messages go to standard error; standard output belongs to the command, except for
//! the document of `-o json` at the end.

use super::args::{GuardArgs, Rollback};
use super::recovery::{self, ask, ask_for_name, watched};
use super::{Surroundings, block_on, clock, signals, wiring};
use crate::config::{self, Settings};
use crate::model::cancel::Cancel;
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::ids::Label;
use crate::model::manifest::Manifest;
use crate::model::name::{shell, visible};
use crate::model::report::TakeReport;
use crate::model::request::CreateRequest;
use crate::model::restore::{RestoreReport, RestoreRequest};
use crate::ops::flight::{Flight, Run};
use crate::ops::guard::{self, Command, Decision, GuardReport, Mode};
use crate::ops::restore::roles::Since;
use crate::ops::restore::{Options, Prepared, Recovery, target_words, undo_command};
use crate::ops::{create, undo};
use crate::proc::foreground::{self, Ending};
use crate::restore::failures::leave_out;
use crate::restore::source::SnapshotSource;
use crate::root::folder::Root;
use crate::root::lock::RootLock;
use crate::root::logs;
use crate::root::restores::RestoreId;
use crate::snapshot::age_file::Keys;
use crate::snapshot::manifest_file::read_manifest;
use crate::ui::connection::{self, With};
use crate::ui::lines::{LogFile, Tee};
use crate::ui::out::{Ui, print_stderr};
use crate::ui::screen::screen;
use crate::ui::text::{bytes, duration_ms};
use crate::ui::{error, gaps, prompt, restore};

/// Runs the verb; the exit code is that of the guarded command.
pub fn run(around: &Surroundings, args: &GuardArgs) -> Result<u8> {
    let inputs = recovery::inputs(around, &args.how);
    let mut settings = wiring::settings(around.ui, &inputs)?;
    let keys = recovery::keys(around, &args.how, &inputs, &mut settings)?;
    let command = guard::find(&args.command, &settings.program_dirs, &around.environment.current_dir)?;
    let source = config::resolve_source(&inputs, &settings)?;
    connection::say(around.ui, "guarding", &source);
    let root = Root::new(settings.root.clone());
    let (lock, run) = recovery::alone(around.ui, &root, clock::now())?;
    let log = LogFile::new(logs::open_for_writing(root.path(), &run.id)?, clock::now);
    let guarded = Guarded {
        around,
        args,
        settings: &settings,
        keys,
        source: &source,
        root: &root,
        lock: &lock,
        run: &run,
        log: &log,
    };
    let manifest = guarded.snapshot().map_err(|failure| {
        log.write(&error::text(Ui::default(), &failure));
        failure.context("the command was not run, because the snapshot failed")
    })?;
    let roles = block_on(async { Ok(Since::now(&source).await) })?;
    let ending = guarded.run_command(&command)?;
    let report = guarded.afterwards(&manifest, &roles, ending)?;
    if !around.ui.is_text() {
        around.ui.document("guard", &With::new(&source, &report));
    }
    Ok(ending.shell_code())
}

struct Guarded<'a> {
    around: &'a Surroundings,
    args: &'a GuardArgs,
    settings: &'a Settings,
    keys: Keys,
    source: &'a ConnSpec,
    root: &'a Root,
    lock: &'a RootLock,
    run: &'a Run,
    log: &'a LogFile,
}

impl Guarded<'_> {
    fn say(&self, text: &str) {
        self.log.write(text);
        self.around.ui.say(text);
    }

    /// Takes the snapshot that a rollback restores.
    fn snapshot(&self) -> Result<Manifest> {
        let mut request = CreateRequest::full(self.run.started_at);
        let label = self.args.label.clone().map_or_else(|| Label::parse(guard::LABEL), Ok);
        request.label = Some(label.map_err(|what| Failure::msg(FailureKind::Failed, what))?);
        let words: Vec<String> = self.args.command.iter().map(|word| visible(&word.to_string_lossy())).collect();
        request.note = words.first().map(|name| format!("before: {name}"));
        let settings = guard::settings(self.settings);
        let ui = self.around.ui;
        let taken = block_on(async {
            let cancel = watched(ui)?;
            let screen = screen(ui);
            let monitor = Tee(vec![screen.as_ref(), self.log]);
            let flight = Flight {
                root: self.root,
                run: self.run,
                lock: self.lock,
                timeout: self.settings.timeout,
                cancel: &cancel,
                monitor: &monitor,
                clock: clock::now,
            };
            flight.fly(create::create(&request, &settings, self.source, &monitor, &cancel)).await
        })?;
        self.say(&taken_line(&taken));
        let Some(place) = &taken.place else {
            return Err(Failure::msg(FailureKind::Failed, "the snapshot has no folder"));
        };
        // Report a wrong --leave-out name before the command runs.
        if !self.args.how.leave_out.is_empty() {
            leave_out::resolve(&self.args.how.leave_out, &SnapshotSource::open(place)?.inventory)?;
        }
        read_manifest(place)
    }

    fn run_command(&self, command: &Command) -> Result<Ending> {
        self.say(&format!("running: {}", visible(&command.program.to_string_lossy())));
        let started = command.clone();
        let run = move || foreground::run(&started.program, &started.args);
        let ending = block_on(async {
            signals::while_it_has_the_terminal(run).await.map_err(|e| {
                let name = visible(&command.program.to_string_lossy());
                Failure::from(e).context(format!("cannot run {name}")).hint("nothing was changed; the snapshot is kept")
            })
        })?;
        self.say(&match ending {
            Ending::Exited(0) => "the command succeeded".to_string(),
            Ending::Exited(code) => format!("the command failed with {code}"),
            Ending::Signalled(number) => format!("the command was ended by signal {number}"),
        });
        Ok(ending)
    }

    /// Shows what the command changed, and rolls back. An error here is reported, but the exit code stays the
    /// command's.
    fn afterwards(&self, manifest: &Manifest, roles: &Since, ending: Ending) -> Result<GuardReport> {
        let mut report = GuardReport {
            snapshot: manifest.id.to_string(),
            complete: manifest.complete,
            command: ending,
            plan: None,
            rolled_back: false,
            restore: None,
            problem: None,
            rollback_command: self.rollback_command(manifest),
        };
        let jobs = recovery::jobs(self.settings);
        let options = Options {
            safety_snapshot: !self.args.no_safety_snapshot,
            proof: !self.args.how.no_proof,
            undo_of: None,
            expected: Some(guard::facts(manifest)),
            keys: self.keys.clone(),
            vouch: None,
        };
        let outcome = block_on(async {
            let made = roles.made(self.source).await;
            let request =
                undo::request(clock::now(), jobs, self.settings.lock_wait, made, self.args.how.leave_out.clone());
            let cancel = watched(self.around.ui)?;
            let after = After { guarded: self, request: &request, options: &options, cancel: &cancel };
            after.run(manifest, ending, &mut report).await
        });
        match outcome {
            Ok(Some(restored)) => {
                report.rolled_back = true;
                self.say(&self.restored_text(&restored));
                report.restore = Some(restored);
            }
            Ok(None) => {}
            Err(failure) => {
                let failure = failure.hint(format!("roll back by hand: {}", report.rollback_command));
                self.log.write(&error::text(Ui::default(), &failure));
                print_stderr(&error::text(self.around.ui, &failure));
                report.problem = Some(failure.to_string());
            }
        }
        Ok(report)
    }

    fn restored_text(&self, restored: &RestoreReport) -> String {
        let undo = RestoreId::parse(&restored.id).map(|id| undo_command(&id, self.source));
        format!("rolled back\n{}", restore::report(restored, !self.args.how.no_proof, undo.as_deref()))
    }

    /// The command that does the rollback by hand.
    fn rollback_command(&self, manifest: &Manifest) -> String {
        let root = match &self.around.globals.root {
            Some(path) => format!(" --root {}", shell(&path.to_string_lossy())),
            None => String::new(),
        };
        let partial = if manifest.complete { "" } else { " --allow-partial" };
        let identity = match &self.args.how.seal_identity {
            Some(file) => format!(" --seal-identity {}", shell(&file.to_string_lossy())),
            None => String::new(),
        };
        let left_out = self.args.how.leave_out.iter().map(|name| format!(" --leave-out {}", shell(name)));
        let left_out: String = left_out.collect();
        format!(
            "stacksnap{root} restore {} --to {} --sessions keep --activate-jobs{partial}{identity}{left_out}",
            manifest.id,
            shell(&target_words(self.source))
        )
    }
}

fn taken_line(taken: &TakeReport) -> String {
    let name = taken.snapshot.as_ref().map(ToString::to_string).unwrap_or_default();
    let word = if taken.complete { "complete" } else { "NOT complete: a rollback cannot restore these" };
    let gaps = if taken.gaps.is_empty() { String::new() } else { format!("\n{}", gaps::render(&taken.gaps)) };
    format!("📁 {name}: {word} ({} in {}){gaps}", bytes(taken.bytes_total), duration_ms(taken.duration_ms))
}

/// The steps after the command: plan the rollback, decide, execute.
struct After<'a> {
    guarded: &'a Guarded<'a>,
    request: &'a RestoreRequest,
    options: &'a Options,
    cancel: &'a Cancel,
}

impl After<'_> {
    async fn run(
        &self,
        manifest: &Manifest,
        ending: Ending,
        report: &mut GuardReport,
    ) -> Result<Option<RestoreReport>> {
        let (guarded, ui) = (self.guarded, self.guarded.around.ui);
        let prepared = {
            let screen = screen(ui);
            let place = guarded.root.path().join(manifest.id.as_str());
            self.recovery(&Tee(vec![screen.as_ref(), guarded.log])).prepare(&place).await?
        };
        report.plan = Some(prepared.plan().clone());
        guarded.say(&restore::changes(prepared.plan()));
        let mode = match guarded.args.rollback {
            Rollback::Ask => Mode::Ask,
            Rollback::OnFailure => Mode::OnFailure,
            Rollback::Never => Mode::Never,
        };
        let protected = guarded.settings.protect.is_some();
        let yes = guarded.around.globals.yes;
        let decision = if prepared.plan().is_empty() {
            Decision::Keep
        } else {
            guard::decide(mode, ending.is_success(), prompt::can_ask(), yes, protected)
        };
        match decision {
            Decision::Keep => Ok(None),
            Decision::Tell => {
                guarded.say(&format!("to roll back: {}", report.rollback_command));
                Ok(None)
            }
            Decision::Ask { typed_name } => {
                let asked = self.ask(&prepared, typed_name).await?;
                if !asked {
                    guarded.say(&format!("not rolled back; to do it later: {}", report.rollback_command));
                    return Ok(None);
                }
                self.roll_back(&prepared).await.map(Some)
            }
            Decision::RollBack => self.roll_back(&prepared).await.map(Some),
        }
    }

    async fn ask(&self, prepared: &Prepared, typed_name: bool) -> Result<bool> {
        if typed_name {
            return match ask_for_name(prepared.plan(), self.cancel).await {
                Ok(_) => Ok(true),
                Err(failure) if failure.kind == FailureKind::NotConfirmed => Ok(false),
                Err(failure) => Err(failure),
            };
        }
        let answer = ask("Roll the database back to its state before the command? [y/N]", self.cancel).await?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    async fn roll_back(&self, prepared: &Prepared) -> Result<RestoreReport> {
        let plan = prepared.plan().clone();
        let (name, digest) = (plan.target.database.clone(), plan.digest.clone());
        let confirmed = plan.confirm(&name, &digest)?;
        let screen = screen(self.guarded.around.ui);
        let monitor = Tee(vec![screen.as_ref(), self.guarded.log]);
        self.recovery(&monitor).carry_out(prepared, &confirmed, self.guarded.lock).await
    }

    fn recovery<'m>(&'m self, monitor: &'m Tee<'m>) -> Recovery<'m> {
        Recovery {
            root: self.guarded.root,
            settings: self.guarded.settings,
            target: self.guarded.source,
            request: self.request,
            options: self.options,
            monitor,
            cancel: self.cancel,
            clock: clock::now,
        }
    }
}
