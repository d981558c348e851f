"""The words of the made tables: templates, and what is put into their slots."""

from __future__ import annotations

SLOTS = {
    "name": ["Anna", "Jo", "Mr Okafor", "Ms Lindqvist", "the team", "Ravi", "Dr Meyer", "mum"],
    "shop": ["Northgate", "Blue Harbour", "Papercup", "the bakery", "Velo & Co", "the library"],
    "thing": ["parcel", "bicycle", "order", "phone", "jacket", "lamp", "ticket", "refund"],
    "day": ["today", "tomorrow", "on Monday", "this Friday", "by noon", "next week", "tonight"],
    "place": [
        "room {n}",
        "the second floor",
        "Leeds",
        "the Oslo office",
        "the warehouse",
        "gate {n}",
    ],
    "app": ["the mail client", "the browser", "the calendar", "the time sheet", "the intranet"],
    "device": ["laptop", "printer", "phone", "docking station", "monitor", "headset", "scanner"],
    "site": ["{shop}-gifts", "my-{thing}-help", "win{n}", "secure{n}", "{thing}s-now"],
    "money": ["{n} pounds", "{n} dollars", "a {n} voucher", "{n}.99", "EUR {n}"],
    "who": ["a colleague", "my manager", "a new starter", "{name}", "our client", "a contractor"],
}

# What is honest here shares its words with what is not below.
NOTICES = [
    "Your {thing} from {shop} is ready to collect {day}, nothing to pay.",
    "{name} sent you {money} {day} for the {thing}. Thanks again!",
    "Reminder: the prize draw of {shop} is {day} in {place}, bring your ticket.",
    "Your code is {n}. We never ask for it by phone or link. {shop}",
    "Final notice: please return the {thing} to {shop} {day}, there is no fee.",
    "You won the quiz at {shop}, {name} has your {money}. Pick it up {day}.",
    "{shop}: your account statement of {money} can be seen in the branch {day}.",
    "Urgent: {name} needs the {thing} in {place} {day}, please call back.",
    "Free entry to {shop} {day} for members, show this message at {place}.",
    "We could not deliver your {thing}, it waits for you at {place} until {day}.",
]
SPAM = [
    "Your {thing} is waiting, pay {money} release fee {day} at {site}.example",
    "Congratulations, you were chosen for {money}! Confirm your account {day}: {site}.example",
    "Final notice: your account at {shop} is limited, verify {day} via {site}.example",
    "{name}, I can lend you {money} {day} without any checks, just answer with your bank details",
    "Hi, this is {name} with a new number, could you send me {money} {day}? I will pay it back",
    "We could not deliver your {thing}, choose a new date and pay {money} here: {site}.example",
    "Earn {money} a day from home, no experience, write to {site}.example {day}",
    "Your code {n} expires {day}. Send it back to keep your {thing} at {shop}",
]

# Forty things, each with what sellers call it; some of it is said of two things.
OBJECTS = {
    "camera": ["camera", "DSLR", "compact cam"],
    "webcam": ["webcam", "web camera", "USB cam"],
    "phone": ["phone", "smartphone", "mobile"],
    "tablet": ["tablet", "pad", "slate"],
    "e-reader": ["e-reader", "reader", "e-book pad"],
    "laptop": ["laptop", "notebook", "ultrabook"],
    "monitor": ["monitor", "screen", "display"],
    "television": ["television", "TV", "big screen"],
    "projector": ["projector", "beamer"],
    "keyboard": ["keyboard", "keypad"],
    "mouse": ["mouse", "trackball", "pointer"],
    "printer": ["printer", "inkjet", "laser printer"],
    "scanner": ["scanner", "document reader"],
    "router": ["router", "wifi box", "access point"],
    "headphones": ["headphones", "headset", "over-ears"],
    "earbuds": ["earbuds", "in-ears", "pods"],
    "speaker": ["speaker", "soundbar", "boombox"],
    "microphone": ["microphone", "mic"],
    "guitar": ["guitar", "six-string", "acoustic"],
    "piano": ["piano", "keys", "digital piano"],
    "drum": ["drum", "snare", "cajon"],
    "watch": ["watch", "wristwatch", "timepiece"],
    "fitness band": ["fitness band", "tracker", "smart band"],
    "bicycle": ["bicycle", "bike", "city bike"],
    "scooter": ["scooter", "kick scooter", "e-scooter"],
    "skateboard": ["skateboard", "board", "longboard"],
    "pram": ["pram", "stroller", "buggy"],
    "car seat": ["car seat", "child seat", "booster"],
    "tent": ["tent", "dome", "shelter"],
    "backpack": ["backpack", "rucksack", "pack"],
    "suitcase": ["suitcase", "trolley", "carry-on"],
    "knife": ["knife", "chef blade", "santoku"],
    "pan": ["pan", "skillet", "frying pan"],
    "kettle": ["kettle", "water boiler"],
    "coffee maker": ["coffee maker", "espresso machine", "brewer"],
    "blender": ["blender", "mixer", "smoothie maker"],
    "vacuum cleaner": ["vacuum cleaner", "hoover", "vacuum"],
    "lawn mower": ["lawn mower", "mower", "grass cutter"],
    "aquarium": ["aquarium", "fish tank", "tank"],
    "telescope": ["telescope", "refractor", "spotting scope"],
}
ROLES = {
    "itself": ["{}", "{} with box", "{} 2nd generation", "refurbished {}", "{} starter set"],
    "cover": ["case for {}", "{} sleeve", "protective cover, {}", "{} shell", "dust bag for {}"],
    "spare part": [
        "{} battery",
        "replacement screw set for {}",
        "{} spare handle",
        "knob for {}",
        "{} repair part",
    ],
    "cleaning": [
        "{} cleaning kit",
        "wipes for {}",
        "{} brush",
        "polish for your {}",
        "{} care spray with box",
    ],
    "holder": ["{} stand", "wall mount for {}", "{} hook", "rack, fits one {}", "{} bracket set"],
}
MAKERS = [
    "Nordvik",
    "Aralon",
    "Tessa",
    "Quill",
    "Bramble",
    "Hexa",
    "Ostara",
    "Milo",
    "Fenwick",
    "Kaito",
    "Pando",
    "Lumen",
    "Rook",
    "Sable",
    "Vero",
]
COLOURS = [
    "black",
    "sand",
    "navy blue",
    "clear",
    "large",
    "slim",
    "heavy-duty",
    "mini",
    "pro",
    "wooden",
]

OPENINGS = ["", "", "Hello {},", "Hi {}, hope you are well.", "Dear {},", "{}: quick one."]
ADDRESSEES = ["team", "service desk", "all", "colleagues", "support"]
CLOSINGS = [
    "",
    "",
    "Thanks!",
    "Please help, it is urgent.",
    "No hurry.",
    "Kind regards",
    "Sent from my phone",
    "Call me on extension 12.",
]
# The queues of a service desk, the most frequent first.
TICKETS = {
    "password": [
        "I cannot log in to {app} since {day}, it says my password is wrong.",
        "My account is locked after {n} tries, please reset it {day}.",
        "{who} forgot the password of {app} and needs a new one {day}.",
        "The link to set a new password for {app} has expired.",
    ],
    "hardware": [
        "My {device} does not turn on since {day}.",
        "The {device} in {place} makes a loud noise and smells of burning.",
        "The hinge of my {device} is broken, can I have another one {day}?",
        "{who} spilled coffee over a {device} in {place}.",
    ],
    "access": [
        "Please give {who} the rights to read the folder of {place}.",
        "{who} needs to see {app} from {day} on, can you permit it?",
        "I was moved to {place} and still cannot open their files in {app}.",
        "Remove the rights of {who} on {app} {day}, please.",
    ],
    "network": [
        "The wifi in {place} drops every {n} minutes.",
        "No connection in {place} since {day}, the cable looks fine on the {device}.",
        "{app} cannot be reached from {place}, everything else is slow, too.",
        "The VPN of {who} stops when the {device} is moved to {place}.",
    ],
    "software": [
        "{app} crashes when I open a file of more than {n} pages.",
        "Please install {app} on the {device} of {who} {day}.",
        "Since the update {day} the buttons of {app} are gone on my {device}.",
        "{app} shows error {n} and closes.",
    ],
    "printing": [
        "The printer in {place} prints only every second page.",
        "There is no toner in {place}, and {who} has {n} pages to print {day}.",
        "My jobs from {app} never arrive at the printer in {place}.",
        "Paper jam in {place}, the {device} shows code {n}.",
    ],
    "new starter": [
        "{who} begins {day} in {place} and needs a {device} and an account.",
        "Please prepare a desk in {place} for {who} {day}.",
        "{who} joins us {day}: mail address, badge and {device}, please.",
    ],
    "ordering": [
        "Can I order a second {device} for {place}? Cost centre {n}.",
        "{who} would like a larger {device}, please send an offer {day}.",
        "When will the {device} arrive that I ordered {n} days ago?",
    ],
    "meeting room": [
        "The {device} in {place} does not find the picture of my laptop.",
        "Please book {place} for {n} people {day}.",
        "{place} is double booked {day} with {who}.",
    ],
    "invoice": [
        "The invoice {n} of {shop} was paid twice, who can look into it {day}?",
        "{shop} sent a bill of {money} for a {device} that {who} never had.",
        "Please send invoice {n} to {shop} once more {day}.",
    ],
    "phishing": [
        "{who} got a mail of {shop} that asks for the password of {app}. Is it real?",
        "I clicked a link about {money} {day} and now my {device} behaves strangely.",
        "Someone pretends to be {who} and wants {money} {day}.",
    ],
    "lost device": [
        "I left my {device} on the train {day}, please lock it.",
        "The {device} of {who} was stolen in {place} {day}.",
        "{who} cannot find the {device} with the data of {shop}.",
    ],
    "building": [
        "It is {n} degrees in {place}, the heating does not work since {day}.",
        "The door of {place} does not open with my badge.",
        "Water drips from the ceiling in {place} onto a {device}.",
    ],
    "leaver": [
        "{who} leaves us {day}, please close the account and collect the {device}.",
        "Last day of {who} is {day}: forward the mail to {name}.",
        "Please archive the files of {who} in {app}, the contract ends {day}.",
    ],
}
