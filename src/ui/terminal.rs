//! The terminal that bars are drawn on, and writing to the two streams while bars are drawn.
//!
//! Invariant: a line written while bars are drawn appears whole above them. No bar fills the width of the terminal, so
//! an echoed `^C` does not wrap; a wrap would leave a stale line behind. Text is never passed to `indicatif`, because
//! it pads lines to the full width.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use console::Term;
use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};

/// Free columns at the end of a bar: room for two `^C`, and the column in which terminals wrap.
const COLUMNS_FREE: u16 = 5;
/// Narrower terminals show numbers without a bar.
const COLUMNS_WIDE: u16 = 80;
const REFRESHES_PER_SECOND: u8 = 10;

static DRAWN: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Starts drawing bars on standard error, until [`stop_drawing`].
pub fn draw() -> MultiProgress {
    let multi = MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(
        Box::new(Narrowed { terminal: Term::buffered_stderr(), line_ended: AtomicBool::new(false) }),
        REFRESHES_PER_SECOND,
    ));
    if let Ok(mut drawn) = DRAWN.lock() {
        *drawn = Some(multi.clone());
    }
    multi
}

/// Removes the bars permanently, even if the work that updates them still runs.
pub fn stop_drawing() {
    let drawn = DRAWN.lock().ok().and_then(|mut drawn| drawn.take());
    if let Some(multi) = drawn {
        let _ = multi.clear();
        multi.set_draw_target(ProgressDrawTarget::hidden());
    }
}

/// Whether there is room for a bar next to the name and the numbers.
pub fn is_wide() -> bool {
    Term::stderr().size().1 >= COLUMNS_WIDE
}

/// Writes to one of the streams while the bars are suspended.
pub fn with_bars_suspended<T>(write: impl FnOnce() -> T) -> T {
    let drawn = DRAWN.lock().ok().and_then(|drawn| drawn.clone());
    match drawn {
        Some(multi) => multi.suspend(write),
        None => write(),
    }
}

/// A terminal that reports fewer columns than it has, and does not pad lines to its width.
#[derive(Debug)]
struct Narrowed {
    terminal: Term,
    /// Whether the next line of the same frame must begin with a newline.
    line_ended: AtomicBool,
}

impl TermLike for Narrowed {
    fn width(&self) -> u16 {
        self.terminal.size().1.saturating_sub(COLUMNS_FREE).max(1)
    }

    fn height(&self) -> u16 {
        self.terminal.size().0
    }

    /// Every frame begins with this call, at the end of the last line of the previous frame.
    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.line_ended.store(false, Ordering::Relaxed);
        self.terminal.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.terminal.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.terminal.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.terminal.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.terminal.write_line(text)
    }

    /// `indicatif` writes a line in two pieces: its text, and the spaces that fill the width.
    fn write_str(&self, text: &str) -> io::Result<()> {
        if text.trim_start_matches(' ').is_empty() {
            self.line_ended.store(true, Ordering::Relaxed);
            return Ok(());
        }
        if self.line_ended.swap(false, Ordering::Relaxed) {
            self.terminal.write_line("")?;
        }
        self.terminal.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.terminal.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.terminal.flush()
    }
}
