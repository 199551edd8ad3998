//! The setting `framing`: a word, or a table with options.

use std::collections::BTreeMap;

use super::value::{self, Value, Wrong, nearest};
use crate::codec::framing::{Endian, Framing, Layout};

const PLAIN: Layout = Layout {
    width: 4,
    endian: Endian::Big,
    offset: 0,
    adjust: 0,
    strip: None,
};
const OPTIONS: [&str; 5] = ["width", "endian", "offset", "adjust", "strip"];

pub(crate) fn read(value: &Value) -> Result<Framing, Wrong> {
    match value {
        Value::Text(text) => match text.as_str() {
            "raw" => Ok(Framing::Raw),
            "line" => Ok(Framing::Line),
            "lenhdr" => Ok(Framing::LenHdr { bare_ping: false }),
            "binary" => Ok(Framing::Binary(PLAIN)),
            _ => Err(wrong(value)),
        },
        Value::Table(table) if table.len() == 1 => match (table.get("binary"), table.get("lenhdr"))
        {
            (Some(Value::Table(options)), _) => read_layout(options).map(Framing::Binary),
            (_, Some(Value::Table(options))) => read_lenhdr(options),
            _ => Err(wrong(value)),
        },
        _ => Err(wrong(value)),
    }
}

fn wrong(value: &Value) -> Wrong {
    format!(
        "{} is not \"raw\", \"line\", \"lenhdr\", \"binary\", {{ binary = {{ width = 2 }} }} or \
         {{ lenhdr = {{ bare_ping = true }} }}",
        value.show()
    )
}

fn read_lenhdr(options: &BTreeMap<String, Value>) -> Result<Framing, Wrong> {
    let mut bare_ping = false;
    for (option, value) in options {
        match (option.as_str(), value) {
            ("bare_ping", Value::Truth(truth)) => bare_ping = *truth,
            ("bare_ping", _) => {
                return Err(format!("bare_ping: {} is not true or false", value.show()));
            }
            _ => return Err(format!("lenhdr has no option {option:?}; it has bare_ping")),
        }
    }
    Ok(Framing::LenHdr { bare_ping })
}

fn read_layout(options: &BTreeMap<String, Value>) -> Result<Layout, Wrong> {
    let mut layout = PLAIN;
    for (option, value) in options {
        read_option(&mut layout, option, value).map_err(|wrong| format!("binary {wrong}"))?;
    }
    Ok(layout)
}

fn read_option(layout: &mut Layout, option: &str, value: &Value) -> Result<(), Wrong> {
    let number = |least, most| {
        value::number(value, least, most).map_err(|wrong| format!("{option}: {wrong}"))
    };
    match option {
        "width" => {
            layout.width = match value {
                Value::Number(width @ (1 | 2 | 4 | 8)) => u8::try_from(*width).unwrap_or(8),
                _ => return Err(format!("width: {} is not 1, 2, 4 or 8", value.show())),
            };
        }
        "endian" => {
            let words = [("big", Endian::Big), ("little", Endian::Little)];
            layout.endian =
                value::choice(value, &words).map_err(|wrong| format!("endian: {wrong}"))?;
        }
        "offset" => layout.offset = u16::try_from(number(0, 65_535)?).unwrap_or(u16::MAX),
        "adjust" => {
            let most = i64::from(i32::MAX);
            layout.adjust = i32::try_from(number(-most, most)?).unwrap_or(i32::MAX);
        }
        "strip" => layout.strip = u16::try_from(number(0, 65_535)?).ok(),
        _ => {
            let guess = nearest(option, OPTIONS.into_iter());
            let hint = guess.map_or_else(
                || format!("it has {}", OPTIONS.join(", ")),
                |guess| format!("did you mean {guess:?}?"),
            );
            return Err(format!("has no option {option:?}; {hint}"));
        }
    }
    Ok(())
}

pub(crate) fn show(framing: &Framing) -> String {
    match framing {
        Framing::Raw => String::from("\"raw\""),
        Framing::Line => String::from("\"line\""),
        Framing::LenHdr { bare_ping: false } => String::from("\"lenhdr\""),
        Framing::LenHdr { bare_ping: true } => String::from("{ lenhdr = { bare_ping = true } }"),
        Framing::Binary(PLAIN) => String::from("\"binary\""),
        Framing::Binary(layout) => {
            let endian = if layout.endian == Endian::Big {
                "big"
            } else {
                "little"
            };
            let strip = layout
                .strip
                .map_or(String::new(), |strip| format!(", strip = {strip}"));
            format!(
                "{{ binary = {{ width = {}, endian = \"{endian}\", offset = {}, adjust = {}{strip} \
                 }} }}",
                layout.width, layout.offset, layout.adjust
            )
        }
    }
}
