// SPDX-License-Identifier: MIT
// As count.c.
use shmstream::{Dict, Error, Sender, Stream};

fn main() -> Result<(), Error> {
    let args: Vec<String> = std::env::args().collect();
    let (name, language) = (&args[1], &args[2]);
    let slot = 8 * args[3].parse::<u64>().unwrap();
    let stream = Stream::open(&format!("{name}-s"), 0)?;
    let mut channel = Sender::open(&format!("{name}-c"), 0)?;
    let dict = Dict::open(&format!("{name}-d"), 0)?;
    println!("open");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    for _ in 0..args[4].parse::<u32>().unwrap() {
        let mut section = stream.lock(None)?;
        let (all, mine): (i64, i64) = (section.load(0)?, section.load(slot)?);
        dict.add(language, 1)?;
        dict.add("all", 1)?;
        section.store(0, &(all + 1))?;
        section.store(slot, &(mine + 1))?;
        drop(section);
        channel.send(language.as_bytes(), None)?;
    }
    Ok(())
}
