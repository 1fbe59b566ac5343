//! `longshore query`: tries an expression of the cluster query language, part by part.

use std::process::ExitCode;

use ::plan::query::{Expression, Malformed};
use anyhow::Result;

use crate::cli::QueryArgs;
use crate::instances;
use crate::site::Site;
use crate::talk::Client;

pub async fn query(site: &Site, args: &QueryArgs) -> Result<ExitCode> {
    let text = args.expression.trim();
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(malformed) => {
            eprintln!("{}", marked(text, &malformed));
            return Ok(ExitCode::FAILURE);
        }
    };
    let client = site.client()?;
    let all = instances::list(&client, &args.cluster, None).await?.len();
    let matching = instances::list(&client, &args.cluster, Some(text)).await?;
    println!("read as   {expression}");
    println!("matches   {} of {all} container instances of the cluster {}", matching.len(), args.cluster);
    let parts = parts(&expression);
    if parts.len() > 1 {
        for part in parts {
            println!("{:>7}   {part}", count(&client, &args.cluster, part).await?);
        }
    }
    if !matching.is_empty() {
        println!("\n{}", instances::listed(&matching));
    }
    Ok(ExitCode::SUCCESS)
}

async fn count(client: &Client, cluster: &str, part: &Expression) -> Result<usize> {
    Ok(instances::list(client, cluster, Some(&part.to_string())).await?.len())
}

/// What all has to hold: each may be the one that rules instances out.
fn parts(expression: &Expression) -> Vec<&Expression> {
    match expression {
        Expression::And(a, b) => [parts(a), parts(b)].concat(),
        other => vec![other],
    }
}

/// The expression, with a mark below the character from which on it can't be read.
fn marked(text: &str, malformed: &Malformed) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{line}\n{:>at$} {}", "^", malformed.why, at = malformed.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_below_what_cannot_be_read() {
        let text = "attribute:rack == r1 and runningTasksCount ~ 3";
        let malformed = Expression::parse(text).unwrap_err();
        let said = marked(text, &malformed);
        let (line, below) = said.split_once('\n').unwrap();
        assert_eq!(line, text);
        assert_eq!(below.find('^'), text.find('~'), "{said}");
    }

    #[test]
    fn what_all_has_to_hold_is_taken_apart() {
        let expression = Expression::parse(
            "attribute:a == 1 and (attribute:b == 2 or attribute:c == 3) and not attribute:d exists",
        );
        let expression = expression.unwrap();
        let parts: Vec<String> = parts(&expression).iter().map(ToString::to_string).collect();
        assert_eq!(
            parts,
            [
                "attribute:a == '1'",
                "(attribute:b == '2') or (attribute:c == '3')",
                "not (attribute:d exists)"
            ]
        );
        parts.iter().for_each(|part| assert!(Expression::parse(part).is_ok(), "{part}"));
    }
}
