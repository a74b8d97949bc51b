//! Terms as Erlang prints them.

use num_bigint::BigInt;

use crate::term::buffer::Buffer;
use crate::term::testing::{Place, Sample, encode};

/// The encoding of a term's text, as a key.
pub(crate) fn key(text: &str) -> Buffer {
    encode(&parse(text), Place::Key)
}

/// The term of a text.
pub(crate) fn parse(text: &str) -> Sample {
    let mut parser = Parser { text: text.as_bytes(), at: 0 };
    let sample = parser.term();
    assert!(matches!(parser.peek(), None | Some(b'.')), "{:?}", &text[parser.at..]);
    sample
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, text: &str) -> bool {
        self.peek();
        let found = self.text[self.at..].starts_with(text.as_bytes());
        self.at += if found { text.len() } else { 0 };
        found
    }

    fn expect(&mut self, text: &str) {
        assert!(self.take(text), "{text} at {}", self.at);
    }

    fn term(&mut self) -> Sample {
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                Sample::Tuple(self.items("}"))
            }
            Some(b'[') => self.list(),
            Some(b'#') => self.map(),
            Some(b'<') => self.bits(),
            Some(b'"') => self.string(),
            Some(b'\'') => Sample::Atom(self.quoted(b'\'')),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                let start = self.at;
                let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_@".contains(byte);
                while self.text.get(self.at).is_some_and(word) {
                    self.at += 1;
                }
                assert!(self.at > start, "no term at {start}");
                Sample::Atom(String::from_utf8(self.text[start..self.at].to_vec()).unwrap())
            }
        }
    }

    fn items(&mut self, end: &str) -> Vec<Sample> {
        let mut items = Vec::new();
        if self.take(end) {
            return items;
        }
        loop {
            items.push(self.term());
            if self.take(end) {
                return items;
            }
            self.expect(",");
        }
    }

    fn list(&mut self) -> Sample {
        self.expect("[");
        let mut items = Vec::new();
        if self.take("]") {
            return Sample::Nil;
        }
        loop {
            items.push(self.term());
            if self.take("|") {
                let tail = self.term();
                self.expect("]");
                return match tail {
                    Sample::List(rest, tail) => {
                        items.extend(rest);
                        Sample::List(items, tail)
                    }
                    tail => Sample::List(items, Box::new(tail)),
                };
            }
            if self.take("]") {
                return Sample::List(items, Box::new(Sample::Nil));
            }
            self.expect(",");
        }
    }

    fn map(&mut self) -> Sample {
        self.expect("#{");
        let mut pairs = Vec::new();
        if self.take("}") {
            return Sample::Map(pairs);
        }
        loop {
            let key = self.term();
            self.expect("=>");
            pairs.push((key, self.term()));
            if self.take("}") {
                return Sample::Map(pairs);
            }
            self.expect(",");
        }
    }

    fn bits(&mut self) -> Sample {
        self.expect("<<");
        let (mut bytes, mut unused) = (Vec::new(), 0);
        while !self.take(">>") {
            let Sample::Int(value) = self.number() else { panic!("a byte") };
            let mut byte = u8::try_from(value).unwrap();
            if self.take(":") {
                let Sample::Int(bits) = self.number() else { panic!("a size") };
                unused = 8 - u32::try_from(bits).unwrap();
                byte <<= unused;
            }
            bytes.push(byte);
            self.take(",");
        }
        Sample::Bits(bytes, unused)
    }

    fn string(&mut self) -> Sample {
        let text = self.quoted(b'"');
        if text.is_empty() {
            return Sample::Nil;
        }
        let chars = text.chars().map(|c| Sample::Int(BigInt::from(c as u32))).collect();
        Sample::List(chars, Box::new(Sample::Nil))
    }

    fn quoted(&mut self, quote: u8) -> String {
        let start = self.at + 1;
        let len = self.text[start..].iter().position(|&byte| byte == quote).unwrap();
        self.at = start + len + 1;
        String::from_utf8(self.text[start..start + len].to_vec()).unwrap()
    }

    fn number(&mut self) -> Sample {
        self.peek();
        let start = self.at;
        let digit = |byte: &u8| byte.is_ascii_digit() || b"-+.e".contains(byte);
        while self.text.get(self.at).is_some_and(digit) {
            let dot = self.text[self.at] == b'.';
            if dot && !self.text.get(self.at + 1).is_some_and(u8::is_ascii_digit) {
                break;
            }
            self.at += 1;
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).unwrap();
        if text.contains('.') {
            Sample::Float(text.parse().unwrap())
        } else {
            Sample::Int(text.parse().unwrap())
        }
    }
}
