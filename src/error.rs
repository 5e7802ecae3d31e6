//! What a command can fail with: one kind per exit status, a sentence, its causes, and what to do.
//!
//! Every stage below the command line returns a [`Failure`] (or an error that converts into one),
//! so that the exit status, the text on stderr and the JSON document always agree
//! (`coldmend.error/1`, design: "Exit status").

use std::fmt;

use crate::volume::{BadPath, ErrorKind, VolumeError};

/// The result of everything that can end a command.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// What kind of failure it is; decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line asks for something that is not there or not clear. Exit status 2.
    Usage,
    /// Refused for safety; nothing was written. Exit status 3.
    Refused,
    /// The input is unreadable or damaged; nothing was written. Exit status 4.
    Unreadable,
    /// Failed or interrupted part-way. Exit status 5.
    Partial,
    /// Interrupted by the user with nothing written. Exit status 130.
    Interrupted,
}

impl Kind {
    /// The process exit status that stands for this kind.
    pub fn exit_status(self) -> u8 {
        match self {
            Kind::Usage => 2,
            Kind::Refused => 3,
            Kind::Unreadable => 4,
            Kind::Partial => 5,
            Kind::Interrupted => 130,
        }
    }

    /// The word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Usage => "usage",
            Kind::Refused => "refused",
            Kind::Unreadable => "unreadable",
            Kind::Partial => "partial",
            Kind::Interrupted => "interrupted",
        }
    }
}

/// A failure with everything that the user needs: what was being done, to what, why it failed, and what to do.
#[derive(Debug)]
pub struct Failure {
    /// Decides the exit status.
    pub kind: Kind,
    /// The error and its causes, outermost first.
    pub error: anyhow::Error,
    /// What the user can do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure of `kind` with a sentence.
    pub fn new(kind: Kind, message: impl fmt::Display) -> Self {
        Failure { kind, error: anyhow::anyhow!("{message}"), hint: None }
    }

    /// A failure of `kind` around an error that happened below.
    pub fn from_error(kind: Kind, error: impl Into<anyhow::Error>) -> Self {
        Failure { kind, error: error.into(), hint: None }
    }

    /// A usage error (exit status 2).
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A refusal for safety (exit status 3).
    pub fn refused(message: impl fmt::Display) -> Self {
        Self::new(Kind::Refused, message)
    }

    /// Unreadable or damaged input (exit status 4).
    pub fn unreadable(message: impl fmt::Display) -> Self {
        Self::new(Kind::Unreadable, message)
    }

    /// Something failed after writing had begun (exit status 5).
    pub fn partial(message: impl fmt::Display) -> Self {
        Self::new(Kind::Partial, message)
    }

    /// Says what was being done when it failed.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display + Send + Sync + 'static) -> Self {
        self.error = self.error.context(doing.to_string());
        self
    }

    /// Says what to do about it; the first, most specific hint stays.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if self.hint.is_none() {
            self.hint = Some(hint.into());
        }
        self
    }

    /// The same failure as one of another kind: a read that fails before writing is another thing
    /// than one that fails in the middle.
    #[must_use]
    pub fn into_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// The outermost message.
    pub fn message(&self) -> String {
        self.error.to_string()
    }

    /// The causes below the message, outermost first.
    pub fn causes(&self) -> Vec<String> {
        self.error.chain().skip(1).map(ToString::to_string).collect()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl From<VolumeError> for Failure {
    fn from(error: VolumeError) -> Self {
        let kind = match error.kind() {
            ErrorKind::Refused | ErrorKind::ReadOnly | ErrorKind::Denied | ErrorKind::Exists | ErrorKind::Full => {
                Kind::Refused
            }
            ErrorKind::NotFound | ErrorKind::Unreadable | ErrorKind::Io => Kind::Unreadable,
        };
        let hint = error.hint().map(str::to_string);
        Failure { kind, error: error.into(), hint }
    }
}

impl From<BadPath> for Failure {
    fn from(error: BadPath) -> Self {
        VolumeError::from(error).into()
    }
}

/// Adds what was being done to the error of a step.
pub trait Context<T> {
    /// Says what was being done when it failed.
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Failure>> Context<T> for std::result::Result<T, E> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| e.into().context(doing()))
    }
}
