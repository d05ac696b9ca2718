//! Two people who write alike, and one who changes what has just come.

use super::tests::expected;
use super::*;

/// Two people write one line in two places, beside an empty line. The editor has said yes to the one and
/// has done nothing.
#[test]
fn a_whole_line_in_another_place_is_the_persons() {
    let line = "import os, sys\n";
    for (marked, next) in [
        ("top\n\nmiddle\n\n«»bottom\n", "top\nL\nmiddle\n\nbottom\n"),
        ("top\n\n«»bottom\n", "top\nL\nbottom\n"),
        ("top\n«»\nbottom\n", "top\n\nLbottom\n"),
    ] {
        let (shown, mut expected) = expected(marked, line);
        expected.accepted = true;
        let next = Rope::from_str(&next.replace('L', line));
        for may_fall in [false, true] {
            expected.may_fall = may_fall;
            let explained = explain(&shown, &next, &expected, Encoding::Utf16);
            assert_eq!(explained, Explanation::User, "{marked:?} {may_fall}");
        }
    }
}

/// Among letters like it an insertion has no one place.
#[test]
fn a_line_like_those_beside_it_is_ours() {
    let (shown, mut expected) = expected("  one();\n«»  two();\n", "  ten();\n");
    expected.accepted = true;
    let next = Rope::from_str("  one();\n  ten();\n  two();\nx");
    let explained = explain(&shown, &next, &expected, Encoding::Utf16);
    assert!(matches!(explained, Explanation::Ours { .. }));
    let ours = Patch::single(1, 0, "ab");
    let typed_there =
        |at, text: &str| typed_there(&Rope::from_str("aabx"), &ours, &Patch::single(at, 0, text));
    assert_eq!(typed_there(1, "ab"), 2);
}

/// A sentence has just come, and its person changes it before the editor reports either.
#[test]
fn most_of_a_sentence_is_ours() {
    let sentence = "The quick brown fox jumps over the lazy dog.\n";
    let becomes = |left: &str, accepted, may_fall| {
        let (shown, mut expected) = expected("top\n«»bottom\n", sentence);
        (expected.accepted, expected.may_fall) = (accepted, may_fall);
        let next = Rope::from_str(&format!("top\n{left}bottom\n"));
        match explain(&shown, &next, &expected, Encoding::Utf16) {
            Explanation::User => "the person's",
            _ => "ours",
        }
    };
    for (accepted, may_fall) in [(false, false), (true, false), (false, true), (true, true)] {
        let becomes = |left: &str| becomes(left, accepted, may_fall);
        assert_eq!(
            becomes("The quick brown fox jumps over the lazy dog\n"),
            "ours"
        );
        assert_eq!(becomes("The quick brown fox jumps the lazy dog.\n"), "ours");
        // Somebody else may have written that.
        assert_eq!(
            becomes("The quick brown cat jumps over the lazy dog.\n"),
            "the person's"
        );
        // Of so little one cannot tell.
        assert_eq!(becomes("The quick brown fox\n"), "the person's");
        assert_eq!(becomes("the lazy dog.\n"), "the person's");
    }
}

/// Two people begin a file with lines that differ in a number.
#[test]
fn a_line_that_differs_in_a_number_is_the_persons() {
    for (line, next) in [
        ("line 6 of window 1\n", "line 18 of window 0\n"),
        ("line 6 of window 1\n", "line 6 of window\n"),
        (
            "import { useState, useEffect } from 'react';\n",
            "import { useState } from 'react';\n",
        ),
    ] {
        let (shown, mut expected) = expected("«»top\n", line);
        let next = Rope::from_str(&format!("{next}top\n"));
        for (accepted, may_fall) in [(false, false), (true, false), (false, true), (true, true)] {
            (expected.accepted, expected.may_fall) = (accepted, may_fall);
            let explained = explain(&shown, &next, &expected, Encoding::Utf16);
            assert_eq!(
                explained,
                Explanation::User,
                "{line:?} {accepted} {may_fall}"
            );
        }
    }
}

/// An editor of which nothing is known inserts at a place within a character behind that.
#[test]
fn a_place_within_a_character_may_be_behind_it() {
    let (shown, mut expected) = expected("ab«»c", "XYZ");
    expected.accepted = true;
    // The `é`, which the person has typed, takes two bytes: the place lies within it.
    let next = Rope::from_str("aéXYZbc");
    for may_round_up in [false, true] {
        expected.may_round_up = may_round_up;
        let explained = explain(&shown, &next, &expected, Encoding::Utf8);
        let is_stale = matches!(explained, Explanation::Stale { .. });
        assert_eq!(is_stale, may_round_up, "{explained:?}");
    }
}
