//! Do two texts of a definition mean the same? The server's own parser is asked.
//!
//! The server's deparse is no fixpoint (trap 27): made again from its text, `x IN ('a','b')` on a varchar is shown
//! otherwise, and every major version prints queries in its own way. Two expressions are the same when the parser,
//! given both texts in the same place, shows one text. Each is made once more as a temporary view (a rule, a function)
//! that is rolled back; nothing of it is ever executed.
//!
//! Invariant: in doubt two texts differ: what cannot be made from a text is told apart from everything. Objects of the
//! database are only referred to. A text that could end its statement is not sent. Nothing stays behind.

mod remake;

use crate::model::object_kind::ObjectKind;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Mutex;

use super::session::Session;
use crate::model::deparsed::expressions::{Form, expressions};
use crate::model::failure::Result;
use crate::model::inventory::{CatalogObject, Inventory};
use remake::{Text, remade};

/// What has been asked and was the same, so that a restore that reads its target several times asks once.
#[derive(Debug, Default)]
pub struct Known(Mutex<HashSet<[String; 4]>>);

/// Where the questions are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// The session has a transaction open that may write.
    Transaction,
    /// It has none: one is begun and rolled back.
    Nothing,
}

/// Makes a text again at most so often: the deparse of a text that was made from a deparse is stable.
const ROUNDS_MAX: usize = 3;
/// So many questions go in one message.
const BATCH: usize = 50;

/// One expression whose texts differ.
#[derive(Debug, Clone)]
struct Question {
    /// In `live`.
    object: usize,
    /// The live text's place in its definition.
    range: Range<usize>,
    wanted: Text,
    found: Text,
}

/// Gives each expression of `live` that means what `wanted` says the text that stands there. Returns how many.
///
/// # Errors
/// A lost connection. What the server cannot make stays as it is, and so does everything where it lets nothing be made
/// (a standby, no right to temporary objects).
pub async fn read_alike(
    session: &Session,
    wanted: &Inventory,
    live: &mut Inventory,
    within: Within,
    known: &Known,
) -> Result<usize> {
    let mut questions = questions(&wanted.objects, &live.objects);
    if questions.is_empty() {
        return Ok(0);
    }
    let key = |q: &Question| {
        let object = &live.objects[q.object];
        [object.kind.to_string(), object.identity.clone(), q.wanted.text.clone(), q.found.text.clone()]
    };
    let is_known = |q: &Question| known.0.lock().is_ok_and(|all| all.contains(&key(q)));
    let (mut same, open): (Vec<Question>, Vec<Question>) = questions.drain(..).partition(is_known);
    let answered = asked(session, open, within).await?;
    if let Ok(mut all) = known.0.lock() {
        all.extend(answered.iter().map(key));
    }
    same.extend(answered);
    let count = same.len();
    write_wanted(&mut live.objects, same);
    Ok(count)
}

/// Is there anything that has to be asked?
pub fn is_open(wanted: &Inventory, live: &Inventory) -> bool {
    !questions(&wanted.objects, &live.objects).is_empty()
}

/// The expressions of objects that are on both sides and whose texts differ.
fn questions(wanted: &[CatalogObject], live: &[CatalogObject]) -> Vec<Question> {
    type Key<'a> = (ObjectKind, &'a str, Option<&'a str>);
    fn key(object: &CatalogObject) -> Key<'_> {
        (object.kind, &object.identity, object.schema.as_deref())
    }
    let by_key: BTreeMap<Key<'_>, &CatalogObject> = wanted.iter().map(|o| (key(o), o)).collect();
    let mut found = Vec::new();
    for (number, object) in live.iter().enumerate() {
        let Some(other) = by_key.get(&key(object)).filter(|other| other.definition != object.definition) else {
            continue;
        };
        let theirs = expressions(other);
        for expression in expressions(object) {
            let Some(their) = theirs.iter().find(|e| e.key == expression.key) else { continue };
            let wanted = &other.definition[their.range.clone()];
            let text = &object.definition[expression.range.clone()];
            if wanted == text || !alike(&their.form, &expression.form) {
                continue;
            }
            found.push(Question {
                object: number,
                range: expression.range,
                wanted: Text { form: their.form.clone(), text: wanted.to_string() },
                found: Text { form: expression.form, text: text.to_string() },
            });
        }
    }
    found
}

/// Expressions in the same kind of place. Two bodies may have arguments whose texts differ.
fn alike(a: &Form, b: &Form) -> bool {
    match (a, b) {
        (Form::Arguments(a) | Form::Body(a), Form::Arguments(b) | Form::Body(b)) => {
            (&a.name, &a.result, &a.language) == (&b.name, &b.result, &b.language)
        }
        // Whether the queries are the same is asked by itself.
        (Form::ColumnType { number: a, .. }, Form::ColumnType { number: b, .. }) => a == b,
        _ => a == b,
    }
}

/// Those of the questions whose two texts mean the same.
async fn asked(session: &Session, questions: Vec<Question>, within: Within) -> Result<Vec<Question>> {
    if questions.is_empty() {
        return Ok(questions);
    }
    if within == Within::Nothing {
        session.execute("BEGIN").await?;
        silence_event_triggers(session).await?;
    }
    let same = same(session, questions).await;
    if within == Within::Nothing && !session.is_closed() {
        session.execute("ROLLBACK").await?;
    }
    same
}

/// Where this role may: nothing that is made here is anybody's business.
async fn silence_event_triggers(session: &Session) -> Result<()> {
    session.execute("SAVEPOINT stacksnap_meaning").await?;
    if session.execute("SET LOCAL session_replication_role = replica").await.is_err() {
        session.execute("ROLLBACK TO SAVEPOINT stacksnap_meaning").await?;
    }
    Ok(())
}

async fn same(session: &Session, questions: Vec<Question>) -> Result<Vec<Question>> {
    if !remake::may_make(session).await? {
        return Ok(Vec::new());
    }
    let texts = |of: fn(&Question) -> &Text| questions.iter().map(|q| Some(of(q).clone())).collect::<Vec<_>>();
    let (mut left, mut right) = (texts(|q| &q.wanted), texts(|q| &q.found));
    let mut is_same = vec![false; questions.len()];
    for _ in 0..ROUNDS_MAX {
        let open: Vec<usize> =
            (0..questions.len()).filter(|n| !is_same[*n] && left[*n].is_some() && right[*n].is_some()).collect();
        if open.is_empty() {
            break;
        }
        for chunk in open.chunks(BATCH) {
            let pairs = chunk.iter().flat_map(|n| [left[*n].clone(), right[*n].clone()]).flatten().collect();
            let made = remade(session, pairs).await?;
            for (n, pair) in chunk.iter().zip(made.chunks(2)) {
                (left[*n], right[*n]) = (pair[0].clone(), pair[1].clone());
                is_same[*n] = matches!((&pair[0], &pair[1]), (Some(a), Some(b)) if a.text == b.text);
            }
        }
    }
    Ok(questions.into_iter().zip(is_same).filter(|(_, same)| *same).map(|(q, _)| q).collect())
}

/// Puts the wanted text in the place of the one that means the same, from the end of each definition to its beginning.
fn write_wanted(live: &mut [CatalogObject], mut same: Vec<Question>) {
    same.sort_by_key(|q| (q.object, q.range.start));
    for question in same.into_iter().rev() {
        live[question.object].definition.replace_range(question.range, &question.wanted.text);
    }
}
