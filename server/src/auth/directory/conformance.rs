//! What every directory must do, whatever it stores in.

use std::sync::Arc;

use tutti_protocol::ids::ProjectId;
use tutti_protocol::role::Role;

use super::{Directory, Link, Project};
use crate::auth::token::Token;

/// Runs the whole suite; `open` opens the same directory each time, empty at first.
pub(crate) async fn run(open: impl AsyncFn() -> Box<dyn Directory>) {
    keeps_projects(&open).await;
    keeps_links(&open).await;
    withdraws_links_with_all_that_came_from_them(&open).await;
    counts_uses_exactly(&open).await;
    forgets_a_project_whole(&open).await;
    refuses_links_to_nowhere(&open).await;
    restores_a_project_whole(&open).await;
    withdraws_what_is_made_meanwhile(&open).await;
}

/// A project with one editor link, not stored yet.
pub(crate) fn project_with_link(id: &str) -> (Project, Link, Token) {
    let project = Project {
        id: id.parse().unwrap(),
        name: format!("name of {id} ♪"),
        created_at: 1_790_000_000_000,
    };
    let (link, token) = link(&project.id);
    (project, link, token)
}

fn link(project: &ProjectId) -> (Link, Token) {
    let token = Token::generate().unwrap();
    let link = Link {
        id: token.id().to_owned(),
        project: project.clone(),
        role: Role::Editor,
        created_at: 1_790_000_000_001,
        expires_at: None,
        max_uses: None,
        uses: 0,
        made_with: None,
    };
    (link, token)
}

async fn keeps_projects(open: &impl AsyncFn() -> Box<dyn Directory>) {
    let directory = open().await;
    assert_eq!(directory.projects().await.unwrap(), []);
    let (younger, _, _) = project_with_link("a-young");
    let (mut older, _, _) = project_with_link("b-old");
    older.created_at -= 1;
    directory
        .create_project(younger.clone(), vec![])
        .await
        .unwrap();
    directory
        .create_project(older.clone(), vec![])
        .await
        .unwrap();
    assert!(
        directory
            .create_project(older.clone(), vec![])
            .await
            .is_err(),
        "one id, two projects"
    );
    drop(directory);

    let directory = open().await;
    assert_eq!(
        directory.projects().await.unwrap(),
        [older.clone(), younger.clone()]
    );
    assert_eq!(
        directory.project(&younger.id).await.unwrap(),
        Some(younger.clone())
    );
    assert_eq!(
        directory
            .project(&"nowhere".parse().unwrap())
            .await
            .unwrap(),
        None
    );
    assert!(directory.delete_project(&older.id).await.unwrap());
    assert!(directory.delete_project(&younger.id).await.unwrap());
    assert!(!directory.delete_project(&younger.id).await.unwrap());
    assert_eq!(directory.projects().await.unwrap(), []);
    directory.ping().await.unwrap();
}

async fn keeps_links(open: &impl AsyncFn() -> Box<dyn Directory>) {
    let directory = open().await;
    let (project, first, token) = project_with_link("links");
    directory
        .create_project(project.clone(), vec![(first.clone(), token.hash())])
        .await
        .unwrap();
    let (mut second, second_token) = link(&project.id);
    second.role = Role::Viewer;
    second.created_at += 1;
    second.expires_at = Some(1_790_000_099_000);
    second.max_uses = Some(7);
    second.made_with = Some(first.id.clone());
    assert!(
        directory
            .create_link(second.clone(), second_token.hash())
            .await
            .unwrap()
    );
    drop(directory);

    let directory = open().await;
    assert_eq!(
        directory.links(&project.id).await.unwrap(),
        [first.clone(), second.clone()]
    );
    assert_eq!(
        directory.links(&"nowhere".parse().unwrap()).await.unwrap(),
        []
    );
    let found = directory.credential(&second.id).await.unwrap().unwrap();
    assert_eq!(found.link, second);
    assert!(found.hash.matches(&second_token) && !found.hash.matches(&token) && !found.is_pass);
    assert!(directory.credential("nobody").await.unwrap().is_none());
    directory.delete_project(&project.id).await.unwrap();
}

async fn withdraws_links_with_all_that_came_from_them(open: &impl AsyncFn() -> Box<dyn Directory>) {
    let directory = open().await;
    let (project, root, root_token) = project_with_link("cascade");
    directory
        .create_project(project.clone(), vec![(root.clone(), root_token.hash())])
        .await
        .unwrap();
    let (mut child, child_token) = link(&project.id);
    child.made_with = Some(root.id.clone());
    let (mut grandchild, grandchild_token) = link(&project.id);
    grandchild.made_with = Some(child.id.clone());
    grandchild.max_uses = Some(1);
    let (other, other_token) = link(&project.id);
    for (link, token) in [
        (&child, &child_token),
        (&grandchild, &grandchild_token),
        (&other, &other_token),
    ] {
        assert!(
            directory
                .create_link(link.clone(), token.hash())
                .await
                .unwrap()
        );
    }
    let pass = Token::generate().unwrap();
    assert!(
        directory
            .add_pass(&grandchild.id, pass.id(), pass.hash())
            .await
            .unwrap()
    );

    let elsewhere = "elsewhere".parse().unwrap();
    assert!(
        directory
            .delete_link(&elsewhere, &root.id)
            .await
            .unwrap()
            .is_empty(),
        "another project's link"
    );
    let mut gone = directory.delete_link(&project.id, &root.id).await.unwrap();
    gone.sort();
    let mut expected = [root.id.clone(), child.id.clone(), grandchild.id.clone()];
    expected.sort();
    assert_eq!(gone, expected);
    for token in [&root_token, &child_token, &grandchild_token, &pass] {
        assert!(directory.credential(token.id()).await.unwrap().is_none());
    }
    assert_eq!(directory.links(&project.id).await.unwrap(), [other]);
    assert!(
        directory
            .delete_link(&project.id, &root.id)
            .await
            .unwrap()
            .is_empty()
    );
    directory.delete_project(&project.id).await.unwrap();
}

async fn counts_uses_exactly(open: &impl AsyncFn() -> Box<dyn Directory>) {
    const USES: usize = 5;
    let directory: Arc<dyn Directory> = open().await.into();
    let (project, mut limited, token) = project_with_link("uses");
    limited.max_uses = Some(USES as u32);
    directory
        .create_project(project.clone(), vec![(limited.clone(), token.hash())])
        .await
        .unwrap();

    let attempts = (0..4 * USES).map(|_| {
        let (directory, link) = (Arc::clone(&directory), limited.id.clone());
        tokio::spawn(async move {
            let pass = Token::generate().unwrap();
            let admitted = directory
                .add_pass(&link, pass.id(), pass.hash())
                .await
                .unwrap();
            (pass, admitted)
        })
    });
    let mut admitted = Vec::new();
    for attempt in attempts.collect::<Vec<_>>() {
        let (pass, came_in) = attempt.await.unwrap();
        let found = directory.credential(pass.id()).await.unwrap();
        assert_eq!(found.is_some(), came_in);
        admitted.extend(found.filter(|found| found.hash.matches(&pass) && found.is_pass));
    }
    assert_eq!(admitted.len(), USES);
    assert_eq!(
        directory.links(&project.id).await.unwrap()[0].uses,
        USES as u32
    );

    let (unlimited, token) = link(&project.id);
    directory
        .create_link(unlimited.clone(), token.hash())
        .await
        .unwrap();
    let pass = Token::generate().unwrap();
    assert!(
        !directory
            .add_pass(&unlimited.id, pass.id(), pass.hash())
            .await
            .unwrap(),
        "no uses to count"
    );
    assert!(
        !directory
            .add_pass("nobody", pass.id(), pass.hash())
            .await
            .unwrap()
    );
    directory.delete_project(&project.id).await.unwrap();
}

async fn forgets_a_project_whole(open: &impl AsyncFn() -> Box<dyn Directory>) {
    let directory = open().await;
    let (project, mut limited, token) = project_with_link("whole");
    limited.max_uses = Some(1);
    directory
        .create_project(project.clone(), vec![(limited.clone(), token.hash())])
        .await
        .unwrap();
    let pass = Token::generate().unwrap();
    assert!(
        directory
            .add_pass(&limited.id, pass.id(), pass.hash())
            .await
            .unwrap()
    );
    assert!(directory.delete_project(&project.id).await.unwrap());
    assert!(directory.credential(token.id()).await.unwrap().is_none());
    assert!(directory.credential(pass.id()).await.unwrap().is_none());
    assert_eq!(directory.links(&project.id).await.unwrap(), []);
}

async fn refuses_links_to_nowhere(open: &impl AsyncFn() -> Box<dyn Directory>) {
    let directory = open().await;
    let (project, root, token) = project_with_link("nowhere");
    assert!(
        !directory
            .create_link(root.clone(), token.hash())
            .await
            .unwrap(),
        "no such project"
    );
    directory
        .create_project(project.clone(), vec![])
        .await
        .unwrap();
    let (mut orphan, orphan_token) = link(&project.id);
    orphan.made_with = Some(root.id);
    assert!(
        !directory
            .create_link(orphan, orphan_token.hash())
            .await
            .unwrap(),
        "made with no link"
    );
    assert_eq!(directory.links(&project.id).await.unwrap(), []);
    directory.delete_project(&project.id).await.unwrap();
}

async fn restores_a_project_whole(open: &impl AsyncFn() -> Box<dyn Directory>) {
    let directory = open().await;
    let (project, root, root_token) = project_with_link("restored");
    directory
        .create_project(project.clone(), vec![(root.clone(), root_token.hash())])
        .await
        .unwrap();
    let (mut limited, limited_token) = link(&project.id);
    limited.made_with = Some(root.id.clone());
    limited.max_uses = Some(3);
    // Older by its clock than the link that it was made with.
    limited.created_at -= 1000;
    assert!(
        directory
            .create_link(limited.clone(), limited_token.hash())
            .await
            .unwrap()
    );
    let pass = Token::generate().unwrap();
    assert!(
        directory
            .add_pass(&limited.id, pass.id(), pass.hash())
            .await
            .unwrap()
    );
    let record = directory.project_record(&project.id).await.unwrap();
    let record = record.unwrap();
    assert!(directory.delete_project(&project.id).await.unwrap());
    assert!(
        directory
            .project_record(&project.id)
            .await
            .unwrap()
            .is_none()
    );

    directory.restore_project(record.clone()).await.unwrap();
    assert!(
        directory.restore_project(record).await.is_err(),
        "one id, two projects"
    );
    assert_eq!(
        directory.project(&project.id).await.unwrap(),
        Some(project.clone())
    );
    limited.uses = 1;
    assert_eq!(
        directory.links(&project.id).await.unwrap(),
        [limited.clone(), root.clone()]
    );
    for (token, is_pass) in [(&root_token, false), (&limited_token, false), (&pass, true)] {
        let found = directory.credential(token.id()).await.unwrap().unwrap();
        assert!(found.hash.matches(token));
        assert_eq!(found.is_pass, is_pass);
    }
    let mut left = 0;
    loop {
        let next = Token::generate().unwrap();
        let id = next.id().to_owned();
        if !directory
            .add_pass(&limited.id, &id, next.hash())
            .await
            .unwrap()
        {
            break;
        }
        left += 1;
    }
    assert_eq!(left, 2);
    directory.delete_project(&project.id).await.unwrap();
}

/// Links that are made with a link while it is being withdrawn, by other nodes, go with it.
async fn withdraws_what_is_made_meanwhile(open: &impl AsyncFn() -> Box<dyn Directory>) {
    let directory: Arc<dyn Directory> = open().await.into();
    let (project, root, token) = project_with_link("meanwhile");
    directory
        .create_project(project.clone(), vec![(root.clone(), token.hash())])
        .await
        .unwrap();
    let mut makers = Vec::new();
    for _ in 0..4 {
        let node: Arc<dyn Directory> = open().await.into();
        let (project, root) = (project.clone(), root.clone());
        makers.push(tokio::spawn(async move {
            let mut origin = root.id;
            for made in 0.. {
                let (mut child, token) = link(&project.id);
                child.made_with = Some(std::mem::replace(&mut origin, child.id.clone()));
                if !node.create_link(child, token.hash()).await.unwrap() {
                    return made;
                }
            }
            0
        }));
    }
    // At once there are some, each the origin of the next.
    while directory.links(&project.id).await.unwrap().len() < 9 {
        tokio::task::yield_now().await;
    }
    let gone = directory.delete_link(&project.id, &root.id).await.unwrap();
    let mut made = 1;
    for maker in makers {
        made += maker.await.unwrap();
    }
    assert_eq!(directory.links(&project.id).await.unwrap(), []);
    // A database that only resembles MongoDB may leave the very last ones out of its answer.
    assert!(gone.contains(&root.id) && (2..=made).contains(&gone.len()));
    directory.delete_project(&project.id).await.unwrap();
}
