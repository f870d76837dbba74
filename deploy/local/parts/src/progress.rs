//! Progress that a person sees: a spinner with the elapsed time on a terminal, plain lines everywhere else.
//!
//! Everything goes to standard error, so that standard output stays free for results. In plain lines a long step repeats
//! itself every 15 s: a silent log looks like a hung program.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

const HEARTBEAT: Duration = Duration::from_secs(15);

/// Where progress goes. Cheap to clone; clones share the terminal.
#[derive(Debug, Clone)]
pub struct Progress {
    output: Output,
}

#[derive(Debug, Clone)]
enum Output {
    Terminal(MultiProgress),
    Lines,
    Silent,
}

impl Progress {
    /// Spinners if standard error is a terminal, plain lines if not.
    #[must_use]
    pub fn detect() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let output = if is_terminal { Output::Terminal(MultiProgress::new()) } else { Output::Lines };
        Self { output }
    }

    /// Shows nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self { output: Output::Silent }
    }

    /// Begins a step, described as "fetching …" or "starting …".
    #[must_use]
    pub fn step(&self, text: impl Into<String>) -> Step {
        let text = text.into();
        let bar = match &self.output {
            Output::Terminal(terminal) => {
                let style = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}")
                    .expect("the template is a constant")
                    .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ");
                let bar =
                    terminal.add(ProgressBar::new_spinner().with_style(style).with_message(text.clone()));
                bar.enable_steady_tick(Duration::from_millis(100));
                Some(bar)
            }
            Output::Lines => {
                write_line(&format!("  {text} …"));
                None
            }
            Output::Silent => None,
        };
        Step { progress: self.clone(), bar, text, begun: Instant::now(), spoken: Mutex::new(Instant::now()) }
    }

    /// Prints one line, above the spinners where there are some.
    pub fn line(&self, text: &str) {
        match &self.output {
            // A terminal that went away is no reason to stop: what is shown here is never the only record.
            Output::Terminal(terminal) => drop(terminal.println(text)),
            Output::Lines => write_line(text),
            Output::Silent => {}
        }
    }
}

/// One step under way. Dropped without [`Step::done`] it is shown as failed.
#[derive(Debug)]
pub struct Step {
    progress: Progress,
    bar: Option<ProgressBar>,
    text: String,
    begun: Instant,
    spoken: Mutex<Instant>,
}

impl Step {
    /// Adds a detail to what is shown, such as what is being waited for; also the heartbeat of plain lines.
    pub fn detail(&self, detail: &str) {
        let text = if detail.is_empty() { self.text.clone() } else { format!("{}: {detail}", self.text) };
        if let Some(bar) = &self.bar {
            bar.set_message(text);
            return;
        }
        let mut spoken = self.spoken.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if spoken.elapsed() >= HEARTBEAT {
            *spoken = Instant::now();
            self.progress.line(&format!("  {text} … {} s", self.begun.elapsed().as_secs()));
        }
    }

    /// Ends the step as done, with what is to be remembered of it.
    pub fn done(mut self, text: &str) {
        self.end('✓', text);
    }

    /// Ends the step as failed, with the reason in a few words.
    pub fn failed(mut self, text: &str) {
        self.end('✗', text);
    }

    fn end(&mut self, mark: char, text: &str) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let seconds = self.begun.elapsed().as_secs_f32();
        self.progress.line(&format!("{mark} {text} ({seconds:.1} s)"));
        self.text.clear();
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            let text = std::mem::take(&mut self.text);
            self.end('✗', &text);
        }
    }
}

fn write_line(text: &str) {
    // As above: a closed standard error must not end a service.
    drop(writeln!(std::io::stderr(), "{text}"));
}
