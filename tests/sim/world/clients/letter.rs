//! The texts of the messages that clients send: each says all that its receiver must know to judge
//! whether it should have got it.

/// What the text of a message says about itself, so that any receiver can judge it.
#[derive(Debug)]
pub(crate) struct Letter<'a> {
    pub(super) from: u32,
    /// Which of its sender's connections: order holds on each by itself.
    pub(super) life: u32,
    pub(super) number: u32,
    pub(super) to: &'a str,
    /// The names its sender goes by.
    pub(super) names: Vec<&'a str>,
}

impl<'a> Letter<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let mut words = text.split(' ');
        let mut word = || {
            words
                .next()
                .unwrap_or_else(|| panic!("a stranger's text: {text:?}"))
        };
        let number = |word: &str| word.parse().expect("a number");
        let (from, life) = word().split_once('/').expect("who, and in which life");
        let (from, life, count) = (number(from), number(life), number(word()));
        let (to, names) = (word(), word().split(',').collect());
        let filling = word();
        assert!(
            filling.bytes().all(|byte| byte == b'x'),
            "the text arrives as it was sent"
        );
        Letter {
            from,
            life,
            number: count,
            to,
            names,
        }
    }
}

/// The text of a message: who, which, to whom, under which names; then filling.
pub(crate) fn letter(
    from: (u32, u32),
    number: u32,
    to: &str,
    names: &[String],
    fill: usize,
) -> String {
    let mut text = format!("{}/{} {number} {to} {} ", from.0, from.1, names.join(","));
    text.extend(std::iter::repeat_n('x', fill));
    text
}
