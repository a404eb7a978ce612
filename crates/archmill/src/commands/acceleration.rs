//! `archmill acceleration`

use archmill_build::classify::ExitCode;
use archmill_build::job::{self, Draft, Mode, Session};
use archmill_emulate::twins::{AccelerationPlan, Condition, Guard, Twin};

use crate::cli::AccelerationArgs;
use crate::setup;
use crate::ui::Terminal;

/// Makes the plan of a build and shows it.
pub(crate) fn run(args: &AccelerationArgs) -> anyhow::Result<ExitCode> {
    let (setup, config) = setup::setup(&args.archive)?;
    let mut request = setup::request(&args.source, &args.archive, &config)?;
    request.mode.get_or_insert(Mode::Accelerated);
    job::check(&setup, &request)?;
    let terminal = Terminal::new(true, true);
    let session = Session::open(setup, &terminal, setup::canceller())?;
    let plan = job::plan(&session, &request, &mut Draft::default())?;
    let acceleration = plan.acceleration.unwrap_or_default();
    if args.json {
        answer!("{}", serde_json::to_string_pretty(&acceleration)?);
    } else {
        print(&acceleration);
        let planned = |name: &str| {
            acceleration.twins.iter().any(|twin| twin.package == name)
                || acceleration.refused.iter().any(|refusal| refusal.package.split(' ').next() == Some(name))
        };
        let left = plan.set.packages.iter().filter(|package| package.arch.as_str() == request.arch.debian);
        let left: Vec<&str> = left
            .map(|package| package.name.as_str())
            .filter(|name| !planned(name) && !name.starts_with("lib"))
            .collect();
        answer!("emulated, as no rule names them:\n  {}", left.join(" "));
        answer!("planned in {:.1} ms", plan.acceleration_took.as_secs_f64() * 1000.0);
    }
    Ok(ExitCode::Success)
}

fn print(plan: &AccelerationPlan) {
    answer!("{} packages have twins:", plan.twins.len());
    for twin in &plan.twins {
        answer!("  {}", line(twin));
        for guard in &twin.rules {
            if let Some(text) = words(guard) {
                answer!("      {text}");
            }
        }
    }
    answer!("with the libraries of {} more", plan.libraries.len());
    if !plan.refused.is_empty() {
        answer!("refused:");
    }
    for refusal in &plan.refused {
        answer!("  {} ({}): {}", refusal.package, refusal.family, refusal.reason);
    }
}

/// A package, and what runs in its place.
fn line(twin: &Twin) -> String {
    let offer = &twin.offer;
    // Another package of the same source may stand in for it, such as a cross compiler.
    let name = if offer.name == twin.package { String::new() } else { format!("{} ", offer.name) };
    format!(
        "{} {} in the root, twin {name}{} for {} (rules: {})",
        twin.package, twin.version, offer.version, offer.arch, twin.family
    )
}

/// A rule in words.
fn words(guard: &Guard) -> Option<String> {
    let what = match &guard.condition {
        Condition::Argument(text) => format!("emulated with the argument {text}"),
        Condition::ArgumentStarts(text) => format!("emulated with an argument that begins with {text}"),
        Condition::ArgumentStartsWithout(text, others) => {
            format!("emulated with an argument that begins with {text} and none of {others}")
        }
        Condition::ArgumentHasWithout(text, others) => {
            format!("emulated with an argument that has {text} in it and none of {others}")
        }
        Condition::ArgumentEnds(text) => format!("emulated with an argument that ends with {text}"),
        Condition::ArgumentHas(text) => format!("emulated with an argument that has {text} in it"),
        Condition::StartedOutside(text) => format!("emulated when started by a path other than {text}"),
        Condition::Variable(name) => format!("emulated where {name} is set"),
        Condition::VariableWithout(name, others) => {
            format!("emulated where {name} is set and no argument is one of {others}")
        }
        Condition::VariableHas(name, part) => format!("emulated where {name} has {part} in it"),
        Condition::VariableIsNot(name, words) => {
            format!("emulated where {name} is not {}", words.replace(' ', " or "))
        }
        Condition::FoldersHave(name, words) => {
            let (left_out, files): (Vec<&str>, Vec<&str>) =
                words.split(' ').partition(|word| word.starts_with('/'));
            format!(
                "emulated where a folder in {name} other than {} has {}",
                left_out.join(" or "),
                files.join(" or ")
            )
        }
        Condition::OnlyScript(_) => "not emulated for scripts that are no tests".to_owned(),
        Condition::Only(text) => format!("not emulated when called as: {text}"),
        Condition::Replace(..) | Condition::Append(..) => return None,
    };
    Some(guard.at.as_ref().map_or(what.clone(), |at| format!("{at}: {what}")))
}
