//! A command on the caller's terminal; script(1) lends one.

use std::io::{Read as _, Write as _};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use archmill_sandbox::Status;

use crate::world::{World, clean, script, skipped};

/// As a process of its own, on a terminal: runs the words of the environment in a sandbox.
pub(crate) fn interactive() -> ExitCode {
    let text = std::env::var("ARCHMILL_IT_SCRIPT").unwrap();
    let mut sandbox = World::new().start();
    let exit = sandbox.run_interactive(&script(&text)).unwrap();
    drop(sandbox);
    clean();
    match exit.status {
        Status::Exited(code) => ExitCode::from(u8::try_from(code).unwrap()),
        other => {
            println!("{other}");
            ExitCode::FAILURE
        }
    }
}

/// Runs `text` in a sandbox on a terminal of 33 lines and 99 columns, types each of `typed` once `prompts` was seen,
/// and gives what the terminal showed; at its end the settings that the terminal was left with.
fn on_a_terminal(text: &str, typed: &[(&str, &[u8])]) -> Option<String> {
    if Command::new("script").arg("--version").stdout(Stdio::null()).status().is_err() {
        skipped("(tool): script(1) is not installed (apt-get install bsdutils)");
        return None;
    }
    let this = std::env::current_exe().unwrap();
    let inner = format!("stty rows 33 cols 99; {} --interactive; echo code=$?; stty -a", this.display());
    let mut child = Command::new("script")
        .args(["-q", "-e", "-c", &inner, "/dev/null"])
        .env("ARCHMILL_IT_SCRIPT", text)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut shown = String::new();
    let mut waiting = typed.iter();
    let mut next = waiting.next();
    let mut buffer = [0; 4096];
    loop {
        let count = stdout.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            break;
        }
        shown.push_str(&String::from_utf8_lossy(&buffer[..count]));
        if let Some((_, bytes)) = next.filter(|(prompt, _)| shown.contains(prompt)) {
            // The program has said its prompt, and reads.
            std::thread::sleep(Duration::from_millis(300));
            stdin.write_all(bytes).unwrap();
            stdin.flush().unwrap();
            next = waiting.next();
        }
    }
    child.wait().unwrap();
    Some(shown.replace('\r', ""))
}

fn input_output_and_size_pass_through_and_settings_are_put_back() {
    let text = "tty >/dev/null || [ -t 0 ] && echo terminal; stty size; echo name?; read name; echo \"hello $name\"; exit 7";
    let Some(shown) = on_a_terminal(text, &[("name?", b"archmill\r")]) else { return };
    assert!(shown.contains("terminal\n33 99\n"), "{shown}");
    assert!(shown.contains("hello archmill\n"), "{shown}");
    assert!(shown.contains("code=7\n"), "{shown}");
    let after = shown.split("code=7").nth(1).unwrap();
    assert!(after.contains(" icanon") && after.contains(" echo ") && after.contains("isig "), "{after}");
}

fn interrupts_go_to_the_program_inside() {
    let text = "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.1; done";
    let Some(shown) = on_a_terminal(text, &[("ready", b"\x03")]) else { return };
    assert!(shown.contains("interrupted\n") && shown.contains("code=9\n"), "{shown}");
}

fn the_terminal_is_the_controlling_one_and_ends_with_end_of_file() {
    let text = "echo to-tty >/dev/tty; echo go; cat; echo ended";
    let Some(shown) = on_a_terminal(text, &[("go", b"line\r\x04")]) else { return };
    assert!(shown.contains("to-tty\n") && shown.contains("line\nline\nended\n"), "{shown}");
}

fn a_program_that_does_not_read_still_shows_its_output() {
    let text = "stty raw -echo; echo go; sleep 2; i=0; while [ $i -lt 3000 ]; do echo $i-line; i=$((i+1)); done; echo end";
    let long = vec![b'x'; 100_000];
    let Some(shown) = on_a_terminal(text, &[("go", &long)]) else { return };
    assert!(
        shown.contains("2999-line") && shown.contains("end"),
        "{}",
        &shown[shown.len().saturating_sub(500)..]
    );
    assert!(shown.contains("code=0"), "{}", &shown[shown.len().saturating_sub(500)..]);
}

crate::tests![
    input_output_and_size_pass_through_and_settings_are_put_back,
    interrupts_go_to_the_program_inside,
    the_terminal_is_the_controlling_one_and_ends_with_end_of_file,
    a_program_that_does_not_read_still_shows_its_output,
];
