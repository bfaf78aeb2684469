package accounts

// Fold is fold, for a walk over all of Unicode that Find would make long.
var Fold = fold

// PlainHostname is plainHostname, and IDNA what it saves.
var PlainHostname, IDNA = plainHostname, toASCII
