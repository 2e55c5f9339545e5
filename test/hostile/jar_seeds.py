# SPDX-License-Identifier: MIT
# jar_seeds.py CORPUS: lines, files and URLs of the kinds that went wrong elsewhere, for the fuzzer to begin with.
# jar_fuzz.c says what the first two bytes are.
import os
import sys

corpus = sys.argv[1]
LINE, FILE, URL = b"\0", b"\1", b"\2"
NAMES = ["a", "", "__Host-a", "__Secure-a", "__Http-a", "__Host-Http-a", "__proto__", "\u00e9", "a b", "\"q\""]
VALUES = ["1", "", "a=b", "\"q, w\"", "x" * 4095, "x" * 4097, "\t", "\u00e9\u00ff", "\x01", "1\n2"]
ATTRIBUTES = [
    "Secure", "HttpOnly", "Path=/", "Path=/dir/page", "Path=", "Path=" + "/x" * 600, "Domain=example.co.uk",
    "Domain=.CO.uk", "Domain=co.uk.", "Domain=", "Domain=..", "Domain=127.0.0.1", "Domain=\u00e9.com", "SameSite=None",
    "SameSite=strict", "Max-Age=0", "Max-Age=-1", "Max-Age=99999999999999999999", "Max-Age=1x", "Partitioned",
    "Expires=Wed, 21 Oct 2065 07:28:00 GMT", "Expires=1 Jan 1601 0:0:0", "Expires=31-Feb-70 24:60:60", "Expires=9999999", ";", "=", "=;=",
]
FIELDS = [".example.com", "TRUE", "/", "FALSE", "0", "name", "value"]
ODD = ["", "#HttpOnly_", "#HttpOnly_.", "-1", "1.5", "99999999999999999999", "true", "..", "a\tb", "\0", "co.uk", "[::1]", "\u00e9.com"]
URLS = [
    "https://", "http://a:b@www.example.com:80/x?y#z", "https://[::1]:8080/", "https://[::1", "ws://a..b/", "https://a:99999/",
    "https://b\u00fccher.example/", "https://\u3002jp/", "wss://a@b@c/", "http://1.2.3.4.", "ftp://a/", "https://a\\b", "https://%41/",
    "https://" + "a." * 126 + "b/", "https://" + "a" * 64 + ".com/", "https://xn--/", "http://0x7f.1/", "https://a:/", "https://a?b/c",
]


def save(name, what, kind, text):
    with open(os.path.join(corpus, name), "wb") as file:
        file.write(what + bytes([kind]) + text.encode("utf-8"))


os.makedirs(corpus, exist_ok=True)
for i, name in enumerate(NAMES):
    for k, value in enumerate(VALUES):
        save(f"pair-{i}-{k}", LINE, i * 16 + k, f"{name}={value}; Secure; Path=/")
for i, one in enumerate(ATTRIBUTES):
    for k, other in enumerate(ATTRIBUTES):
        save(f"attributes-{i}-{k}", LINE, (i * 7 + k) % 256, f"n{i}=1; {one}; {other}; Secure")
for i in range(len(FIELDS)):
    for k, odd in enumerate(ODD):
        for end in ("\n", "\r\n", ""):
            line = "\t".join(FIELDS[:i] + [odd] + FIELDS[i + 1:])
            save(f"file-{i}-{k}-{len(end)}", FILE, 0, "# Netscape HTTP Cookie File\n" + line + end)
    save(f"fields-{i}", FILE, 0, "\t".join(FIELDS[:i]) + "\n" + "\t".join(FIELDS) + "\n")
for i, url in enumerate(URLS):
    save(f"url-{i}", URL, i, url)
print(f"{len(os.listdir(corpus))} seeds: what a jar is handed")
