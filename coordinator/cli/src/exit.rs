//! Exit codes, and failures that end a command.

use std::process::ExitCode;

/// Shown below `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  everything was done
  1  something failed; what else could be done was done
  2  the command line is wrong, or a file on it holds no results
  3  the configuration or the archive cannot be used
  4  only refusals that pass by themselves: files in use, files that changed meanwhile
  5  damage was found in the archive, or by a verification
  6  interrupted: the result of a benchmark holds what was measured until then
  7  something is not as it should be: `tune doctor` has a finding, or by `bench compare` the second
     file is worse than the first";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Done,
    Failed,
    Usage,
    Configuration,
    Later,
    Damage,
    Partial,
    Found,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(match code {
            Code::Done => 0,
            Code::Failed => 1,
            Code::Usage => 2,
            Code::Configuration => 3,
            Code::Later => 4,
            Code::Damage => 5,
            Code::Partial => 6,
            Code::Found => 7,
        })
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) error: anyhow::Error,
    /// What the user can do about it.
    pub(crate) advice: Option<&'static str>,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: Code::Usage, error: anyhow::Error::msg(message.into()), advice: None }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { code: Code::Failed, ..Self::usage(message) }
    }

    pub(crate) fn configuration(error: impl Into<anyhow::Error>) -> Self {
        Self { code: Code::Configuration, error: error.into(), advice: None }
    }
}

impl From<dray_archive::Error> for Failure {
    fn from(error: dray_archive::Error) -> Self {
        use dray_archive::Error as E;
        let code = match &error {
            E::Damaged { .. } | E::DamagedData { .. } => Code::Damage,
            E::NotAVolume { .. } | E::NoVolume { .. } | E::ForeignVolume { .. } => {
                Code::Configuration
            }
            E::AllInUse { .. } => Code::Later,
            _ => Code::Failed,
        };
        Self { code, advice: Some(error.advice()), error: error.into() }
    }
}

impl From<dray_mover::Error> for Failure {
    fn from(error: dray_mover::Error) -> Self {
        match error {
            dray_mover::Error::Archive(error) => error.into(),
            error => {
                let code = if error.is_transient() { Code::Later } else { Code::Failed };
                Self { code, advice: Some(error.advice()), error: error.into() }
            }
        }
    }
}

impl From<dray_node::config::ConfigError> for Failure {
    fn from(error: dray_node::config::ConfigError) -> Self {
        Self::configuration(error)
    }
}

impl From<dray_io::Fault> for Failure {
    fn from(fault: dray_io::Fault) -> Self {
        Self { code: Code::Failed, advice: Some(fault.advice()), error: fault.into() }
    }
}
