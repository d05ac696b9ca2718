//! What versions must hold on every store: all that they name, from before they are listed until
//! after they have gone.

use std::time::{Duration, SystemTime};

use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;
use tutti_protocol::index::Eol;
use tutti_protocol::rest::{FileKind, VersionReason};

use super::{Contents, Opener, polled};
use crate::history::{About, History, KEPT_AT_LEAST, ListedFile, Outcome};
use crate::store::blobs::PART_BYTES;
use crate::store::{StoreError, StoredVersion};

pub(super) async fn all(opener: &dyn Opener) {
    a_version_reads_as_it_was_made(opener).await;
    nothing_new_is_no_version_unless_it_has_a_name(opener).await;
    a_list_larger_than_a_record_survives(opener).await;
    one_cut_off_at_any_point_is_listed_whole_or_not(opener).await;
    of_many_at_once_each_one_made_is_whole(opener).await;
    only_what_no_version_names_is_collected(opener).await;
    old_ones_without_a_name_are_thinned_out(opener).await;
    what_cannot_be_read_is_no_version(opener).await;
}

async fn open(opener: &dyn Opener) -> History {
    let texts = opener.open_contents(Contents::Texts).await;
    History::new(opener.open_versions().await, texts)
}

fn project(name: &str) -> ProjectId {
    name.parse().expect("a name within the rules")
}

fn about(because: VersionReason) -> About {
    About {
        name: (because == VersionReason::Named).then(|| "release".to_owned()),
        because,
        people: vec!["Ada".to_owned()],
        made_at_ms: 1_790_000_000_000,
    }
}

fn file(path: &str, kind: FileKind, sha256: BlobHash, bytes: u64) -> ListedFile {
    ListedFile {
        id: format!("id-{bytes}").parse().expect("an id"),
        path: path.to_owned(),
        kind,
        sha256,
        bytes,
        eol: Eol::Crlf,
        executable: true,
        created_at: 5,
        created_by: "Ada".to_owned(),
    }
}

/// Makes a version of these texts, by their paths.
async fn make(
    history: &History,
    project: &ProjectId,
    texts: &[(&str, &str)],
    because: VersionReason,
) -> Result<Outcome, StoreError> {
    let mut draft = history.draft(project).await?;
    for (path, text) in texts {
        let file = |sha256, bytes| file(path, FileKind::Text, sha256, bytes);
        draft.add_text((*text).to_owned(), file).await?;
    }
    draft.end(about(because)).await
}

async fn made(
    history: &History,
    project: &ProjectId,
    texts: &[(&str, &str)],
    because: VersionReason,
) -> StoredVersion {
    match make(history, project, texts, because).await {
        Ok(Outcome::Made(version)) => version,
        other => panic!("no version is made: {other:?}"),
    }
}

/// The texts of a version, each of which must be there.
async fn read(
    history: &History,
    project: &ProjectId,
    version: &StoredVersion,
) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for file in history
        .files(project, version)
        .await
        .expect("its list is there")
    {
        let text = history.text(project, file.sha256).await;
        let text = text.expect("its text is there");
        assert_eq!(text.len() as u64, file.bytes);
        texts.push((file.path, String::from_utf8(text).expect("a text")));
    }
    texts
}

fn owned(texts: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
    texts.iter().map(owned).collect()
}

async fn a_version_reads_as_it_was_made(opener: &dyn Opener) {
    let (history, project) = (open(opener).await, project("history"));
    let mut rng = fastrand::Rng::with_seed(1);
    let large: String = (0..3 * PART_BYTES).map(|_| rng.alphanumeric()).collect();
    let texts = [
        ("a", ""),
        ("b", "♪ one\n"),
        ("c", large.as_str()),
        ("same as b", "♪ one\n"),
    ];
    let first = made(&history, &project, &texts, VersionReason::Named).await;
    assert_eq!((first.number, first.files), (1, 4));
    assert_eq!(first.name.as_deref(), Some("release"));
    let other_node = open(opener).await;
    assert_eq!(read(&other_node, &project, &first).await, owned(&texts));

    let later = [("b", "♪ two\n"), ("c", large.as_str())];
    let second = made(&other_node, &project, &later, VersionReason::Quiet).await;
    assert_eq!(
        history.list(&project, None, 9).await.expect("a list"),
        [second.clone(), first.clone()]
    );
    assert_eq!(
        history.find(&project, 1).await.expect("it answers"),
        Some(first.clone())
    );
    assert_eq!(history.find(&project, 3).await.expect("it answers"), None);
    assert_eq!(read(&history, &project, &second).await, owned(&later));
    assert_eq!(read(&history, &project, &first).await, owned(&texts));

    // What is no text is named, and lies elsewhere.
    let mut draft = history.draft(&project).await.expect("it begins");
    let picture = file("p.png", FileKind::Binary, BlobHash([7; 32]), 12);
    draft.add_blob(picture.clone());
    let ended = draft.end(about(VersionReason::Quiet)).await;
    let Ok(Outcome::Made(third)) = ended else {
        panic!("no version is made: {ended:?}");
    };
    let files = history.files(&project, &third).await.expect("its list");
    assert_eq!(files, [picture]);
    let named = history.named(&project, FileKind::Binary).await;
    assert_eq!(named.expect("they are read").len(), 1);
}

async fn nothing_new_is_no_version_unless_it_has_a_name(opener: &dyn Opener) {
    let (history, project) = (open(opener).await, project("history-unchanged"));
    let texts = [("a", "one")];
    let first = made(&history, &project, &texts, VersionReason::Quiet).await;
    let again = make(&history, &project, &texts, VersionReason::Quiet).await;
    assert_eq!(again.expect("it answers"), Outcome::Unchanged(first));
    let named = made(&history, &project, &texts, VersionReason::Named).await;
    assert_eq!(named.number, 2);
}

async fn a_list_larger_than_a_record_survives(opener: &dyn Opener) {
    let (history, project) = (open(opener).await, project("history-large"));
    let mut rng = fastrand::Rng::with_seed(2);
    let mut draft = history.draft(&project).await.expect("it begins");
    // Over 16 MiB packed: random letters have six bits each at most.
    let mut files: Vec<ListedFile> = (0..23_000)
        .map(|_| {
            let path: String = (0..1_024).map(|_| rng.alphanumeric()).collect();
            file(&path, FileKind::Binary, BlobHash([1; 32]), 1)
        })
        .collect();
    for file in &files {
        draft.add_blob(file.clone());
    }
    let ended = draft.end(about(VersionReason::Quiet)).await;
    let Ok(Outcome::Made(version)) = ended else {
        panic!("no version is made: {ended:?}");
    };
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let listed = open(opener).await.files(&project, &version).await;
    assert!(listed.expect("its list is there") == files);
}

async fn one_cut_off_at_any_point_is_listed_whole_or_not(opener: &dyn Opener) {
    let (history, project) = (open(opener).await, project("history-killed"));
    for polls in 0..40 {
        let text = format!("round {polls}");
        let texts = [("a", text.as_str()), ("b", "same")];
        let making = make(&history, &project, &texts, VersionReason::Quiet);
        let ended = polled(making, polls).await;
        let newest = history.newest(&project).await.expect("it answers");
        let expected = owned(&texts);
        let is_there = match &newest {
            Some(newest) => read(&history, &project, newest).await == expected,
            None => false,
        };
        assert!(ended.is_none() || is_there, "{polls}");
        // What a killed node has sent last may still arrive, and be faster.
        while let Outcome::Overtaken = make(&history, &project, &texts, VersionReason::Quiet)
            .await
            .expect("it answers")
        {}
        let newest = history.newest(&project).await.expect("it answers");
        let newest = newest.expect("there is one");
        assert_eq!(read(&history, &project, &newest).await, expected, "{polls}");
    }
    for version in history.all(&project).await.expect("they are listed") {
        assert_eq!(read(&history, &project, &version).await.len(), 2);
    }
}

async fn of_many_at_once_each_one_made_is_whole(opener: &dyn Opener) {
    let project = project("history-race");
    let nodes = [open(opener).await, open(opener).await];
    let mut making = tokio::task::JoinSet::new();
    for n in 0..6 {
        let (history, project) = (nodes[n % 2].clone(), project.clone());
        making.spawn(async move {
            let text = format!("of {n}");
            let texts = [("a", text.as_str()), ("b", "same")];
            loop {
                match make(&history, &project, &texts, VersionReason::Quiet).await {
                    Ok(Outcome::Made(version)) => return (version, owned(&texts)),
                    Ok(Outcome::Overtaken) => {}
                    other => panic!("no version is made: {other:?}"),
                }
            }
        });
    }
    let mut all = making.join_all().await;
    all.sort_by_key(|(version, _)| version.number);
    let numbers: Vec<u32> = all.iter().map(|(version, _)| version.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    for (version, texts) in all {
        assert_eq!(read(&nodes[0], &project, &version).await, texts);
    }
}

async fn only_what_no_version_names_is_collected(opener: &dyn Opener) {
    let (history, project) = (open(opener).await, project("history-collected"));
    let [first, second] = [[("a", "one")], [("a", "two")]];
    let gone = made(&history, &project, &first, VersionReason::Quiet).await;
    let kept = made(&history, &project, &second, VersionReason::Quiet).await;
    // One that was given up in the middle, and one that is being made.
    let mut given_up = history.draft(&project).await.expect("it begins");
    let text = |sha256, bytes| file("b", FileKind::Text, sha256, bytes);
    given_up
        .add_text("never".to_owned(), text)
        .await
        .expect("it is put");
    given_up.flush().await.expect("it is put");
    drop(given_up);
    let later = SystemTime::now() + Duration::from_secs(60);
    let collected = history.collect_unused_since(&project, later).await;
    assert_eq!(collected.expect("it is collected"), 1);
    let versions = opener.open_versions().await;
    let removed = versions.remove(&project, gone.number).await;
    removed.expect("it is removed");
    tokio::time::sleep(Duration::from_millis(3)).await;
    let since = SystemTime::now();
    tokio::time::sleep(Duration::from_millis(3)).await;
    let mut draft = history.draft(&project).await.expect("it begins");
    let text = |sha256, bytes| file("b", FileKind::Text, sha256, bytes);
    draft
        .add_text("new".to_owned(), text)
        .await
        .expect("it is put");
    draft.flush().await.expect("it is put");
    // The text and the list of the one that has gone.
    let collected = open(opener)
        .await
        .collect_unused_since(&project, since)
        .await;
    assert_eq!(collected.expect("it is collected"), 2);
    let ended = draft.end(about(VersionReason::Quiet)).await;
    let Ok(Outcome::Made(new)) = ended else {
        panic!("no version is made: {ended:?}");
    };
    assert_eq!(read(&history, &project, &kept).await, owned(&second));
    assert_eq!(read(&history, &project, &new).await, owned(&[("b", "new")]));
    // What has gone can be put again.
    let again = made(&history, &project, &first, VersionReason::Quiet).await;
    assert_eq!(read(&history, &project, &again).await, owned(&first));
    history
        .delete_project(&project)
        .await
        .expect("it is deleted");
    assert!(history.all(&project).await.expect("a list").is_empty());
    let left = opener.open_contents(Contents::Texts).await;
    assert!(left.blobs(&project).await.expect("a list").is_empty());
}

async fn old_ones_without_a_name_are_thinned_out(opener: &dyn Opener) {
    let (history, project) = (open(opener).await, project("history-thinned"));
    for n in 0..KEPT_AT_LEAST + 5 {
        let because = match n {
            0 | 3 => VersionReason::Named,
            1 => VersionReason::BeforeRestore,
            _ => VersionReason::Quiet,
        };
        let text = n.to_string();
        made(&history, &project, &[("a", text.as_str())], because).await;
    }
    let thinned = history
        .thin(&project, 100)
        .await
        .expect("they are looked through");
    assert_eq!(thinned, 0);
    // Fewer than that are never left.
    let thinned = history
        .thin(&project, 0)
        .await
        .expect("they are looked through");
    assert_eq!(thinned, 3);
    let left = history.all(&project).await.expect("a list");
    let mut left: Vec<u32> = left.iter().map(|version| version.number).collect();
    left.reverse();
    assert_eq!(left[..3], [1, 4, 6]);
    assert_eq!(left.len(), KEPT_AT_LEAST + 2);
}

async fn what_cannot_be_read_is_no_version(opener: &dyn Opener) {
    let (history, project) = (open(opener).await, project("history-away"));
    let texts = [("a", "one")];
    made(&history, &project, &texts, VersionReason::Quiet).await;
    opener.outage(true).await;
    assert!(
        make(&history, &project, &texts, VersionReason::Named)
            .await
            .is_err()
    );
    assert!(history.find(&project, 1).await.is_err());
    assert!(history.named(&project, FileKind::Text).await.is_err());
    opener.outage(false).await;
    assert_eq!(history.all(&project).await.expect("a list").len(), 1);
}
