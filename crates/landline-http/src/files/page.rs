//! A listing as a page of HTML, without scripts. Pure.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use super::listing::{Kind, Listing};
use super::path::escape;

/// Readable on a phone, in the dark and on paper.
const STYLE: &str = "\
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.3rem;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;font-weight:normal;padding:.2rem .8rem .2rem 0}
thead th{font-weight:600;border-bottom:1px solid}
th+th,td{white-space:nowrap;width:1%}
.size{text-align:right;font-variant-numeric:tabular-nums}
a{text-decoration:none;overflow-wrap:anywhere}
a:hover,a:focus{text-decoration:underline}";

/// The page of a directory, whose path people read as `title`.
pub(super) fn page(listing: &Listing, title: &str, is_root: bool) -> String {
    let title = Escaped(title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Index of {title}</title>\n\
         <style>\n{STYLE}\n</style>\n</head>\n<body>\n<main>\n<h1>Index of {title}</h1>\n"
    );
    if !is_root {
        page.push_str("<nav><a href=\"../\">Parent directory</a></nav>\n");
    }
    if listing.entries.is_empty() {
        page.push_str("<p>Nothing is here.</p>\n");
    } else {
        page.push_str(
            "<table>\n<thead>\n<tr><th scope=\"col\">Name</th><th scope=\"col\" class=\"size\">Size</th>\
             <th scope=\"col\">Changed (UTC)</th></tr>\n</thead>\n<tbody>\n",
        );
        for entry in &listing.entries {
            let slash = if entry.kind == Kind::Directory { "/" } else { "" };
            let name = String::from_utf8_lossy(&entry.name);
            let size = match entry.kind {
                Kind::Directory => String::new(),
                Kind::File { length } => format!("<data value=\"{length}\">{}</data>", size(length)),
            };
            let changed = entry.modified.map_or_else(String::new, |modified| {
                let [date, time] = moment(modified);
                format!("<time datetime=\"{date}T{time}Z\">{date} {}</time>", &time[..5])
            });
            let _ = writeln!(
                page,
                "<tr><th scope=\"row\"><a href=\"{}{slash}\">{}{slash}</a></th><td class=\"size\">{size}</td><td>{changed}</td></tr>",
                escape(&entry.name),
                Escaped(&name),
            );
        }
        page.push_str("</tbody>\n</table>\n");
    }
    if listing.is_cut {
        let _ = writeln!(page, "<p>There is more: only {} names were read.</p>", listing.entries.len());
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// Text as it stands in HTML, in attributes too.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|ch| match ch {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            // References to these are errors in HTML, and so are they.
            ch if ch.is_control() => f.write_char(char::REPLACEMENT_CHARACTER),
            ch => f.write_char(ch),
        })
    }
}

/// A size in words: bytes, or the largest unit of 1024 of which there is one, with one decimal.
fn size(length: u64) -> String {
    if length < 1024 {
        return format!("{length} B");
    }
    let mut unit = 1024;
    let mut names = ["KiB", "MiB", "GiB", "TiB", "PiB"].into_iter();
    let mut name = names.next();
    while length / unit >= 1024
        && let Some(next) = names.next()
    {
        unit *= 1024;
        name = Some(next);
    }
    // Of 64 bits, tenths fit into 128.
    let tenths = u128::from(length) * 10 / u128::from(unit);
    format!("{}.{} {}", tenths / 10, tenths % 10, name.unwrap_or_default())
}

/// The date and the time of a moment after 1970, in UTC as ISO 8601 has them.
fn moment(time: SystemTime) -> [String; 2] {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    // Of every 400 years there are 146097 days; the rest is counted.
    let (mut year, mut day) = (1970 + days / 146_097 * 400, days % 146_097);
    loop {
        let length = 365 + u64::from(is_leap(year));
        if day < length {
            break;
        }
        day -= length;
        year += 1;
    }
    let months = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in months {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    [
        format!("{year:04}-{month:02}-{:02}", day + 1),
        format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::listing::Entry;
    use super::*;

    fn entry(name: &[u8], kind: Kind) -> Entry {
        Entry { name: name.to_vec(), kind, modified: Some(UNIX_EPOCH + Duration::from_secs(784_111_777)) }
    }

    #[test]
    fn directories_come_first_and_names_are_only_names() {
        let listing = Listing::new(
            vec![
                entry(b"b.txt", Kind::File { length: 1536 }),
                entry(b"a\"><script>alert(1)</script>", Kind::File { length: 0 }),
                entry(b"javascript:alert(1)", Kind::File { length: 0 }),
                entry(b"\xff\n", Kind::File { length: 0 }),
                entry(b"z", Kind::Directory),
            ],
            false,
        );
        let page = page(&listing, "/<i>/", false);
        let rows: Vec<&str> =
            page.lines().filter(|line| line.starts_with("<tr><th scope=\"row\">")).collect();
        assert_eq!(
            rows[0],
            "<tr><th scope=\"row\"><a href=\"z/\">z/</a></th><td class=\"size\"></td>\
             <td><time datetime=\"1994-11-06T08:49:37Z\">1994-11-06 08:49</time></td></tr>"
        );
        assert!(rows[1].contains(">a&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;</a>"), "{}", rows[1]);
        assert!(rows[1].contains("href=\"a%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E\""), "{}", rows[1]);
        assert!(rows[2].contains("<data value=\"1536\">1.5 KiB</data>"), "{}", rows[2]);
        assert!(rows[3].contains("href=\"javascript%3Aalert(1)\""), "{}", rows[3]);
        assert!(rows[4].contains("href=\"%FF%0A\">\u{fffd}\u{fffd}</a>"), "{}", rows[4]);
        assert!(page.contains("<h1>Index of /&lt;i&gt;/</h1>") && page.contains("href=\"../\""));
        assert!(!page.contains("<script") && !page.contains("There is more"));
    }

    #[test]
    fn empty_and_cut_listings_say_so() {
        let empty = page(&Listing::new(Vec::new(), false), "/", true);
        assert!(empty.contains("Nothing is here.") && !empty.contains("<table") && !empty.contains("../"));
        let cut = page(&Listing::new(vec![entry(b"x", Kind::Directory)], true), "/", true);
        assert!(cut.contains("only 1 names were read"));
    }

    #[test]
    fn sizes_in_words() {
        for (length, words) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1023.9 KiB"),
            (1_048_576, "1.0 MiB"),
            (u64::MAX, "16383.9 PiB"),
        ] {
            assert_eq!(size(length), words);
        }
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (seconds, date, time) in [
            (0, "1970-01-01", "00:00:00"),
            (951_782_399, "2000-02-28", "23:59:59"),
            (951_782_400, "2000-02-29", "00:00:00"),
            (1_709_251_199, "2024-02-29", "23:59:59"),
            (4_107_542_400, "2100-03-01", "00:00:00"),
            (253_402_300_799, "9999-12-31", "23:59:59"),
        ] {
            assert_eq!(moment(UNIX_EPOCH + Duration::from_secs(seconds)), [date, time]);
        }
    }
}
