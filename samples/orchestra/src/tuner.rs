//! A tuner: names the note that is nearest to a frequency.

const NAMES: [&str; 12] = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];

/// The nearest note to a frequency in hertz, and how far off it is in cents.
fn nearest(frequency_hz: f64) -> (String, f64) {
    let semitones_from_a4 = 12.0 * (frequency_hz / 440.0).log2();
    let nearest = semitones_from_a4.round();
    let midi = nearest as i32 + 69;
    let name = NAMES[midi.rem_euclid(12) as usize];
    let octave = midi.div_euclid(12) - 1;
    (format!("{name}{octave}"), 100.0 * (semitones_from_a4 - nearest))
}

fn main() {
    for frequency_hz in [261.6, 329.6, 392.0, 442.0] {
        let (note, cents) = nearest(frequency_hz);
        println!("{frequency_hz:6.1} Hz is {note} {cents:+.0} cents");
    }
}
