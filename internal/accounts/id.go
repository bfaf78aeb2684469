package accounts

import "strings"

// An ID says how to reach a person and where. It is normalised: two ways to
// write one address give the same ID.
type ID struct {
	Implementation string
	Identifier     string // in the normal form of the implementation
}

// An Address is an address as somebody typed it, in NFC and without what stood around
// it. It differs from the identifier in case and script. Messages go to it, so that a
// code reaches the mailbox that was named and no other that folding makes the same.
type Address string

// Found is the result of a discovery: whose account it is, and where messages go.
type Found struct {
	ID      ID
	Address Address
	// Provider is the name of the configured provider that the person is led to, "" for none.
	// Then the identifier may be empty: the provider says who it is.
	Provider string
}

// form is one form of id, a file each.
type form struct {
	implementation string
	// prefix says that a text is of this form, as in sms:+41791234567; "": there is none.
	prefix string
	// escaped: behind the prefix a text is percent-encoded, as in a URI (RFC 3986 2.1).
	escaped bool
	// why is why an id is of this form, if it has no prefix that says so.
	why Reason
	// hint: where people choose this form, any text will do, as a hint for the provider.
	hint bool
	// takes reports whether a text is an id of this form rather than of another.
	takes func(text string) bool
	// resolve normalises a text that holds nothing unusable.
	resolve func(d Discovery, text string) (Found, Refusal)
	// deliverable is an address as its channel takes it.
	deliverable func(Address) string
	// shown is an identifier as people write it.
	shown func(identifier string) string
	// masked is enough of an identifier for its owner to recognize it, and for nobody else.
	masked func(identifier string) string
	// domain is what many ids have in common and limits count together: the host of a mail
	// address.
	domain func(ID) string
	// budgetKey is the same for identifiers whose messages end up in one place.
	budgetKey func(identifier string) string
}

// formOf is the form of the identifiers of an implementation.
func formOf(implementation string) *form {
	switch implementation {
	case Email:
		return &email
	case Jabber:
		return &jabber
	case OpenID, OAuth:
		return &provided
	}
	return &hookForm
}

// Deliverable is an address of the id as its channel takes it.
func (id ID) Deliverable(typed Address) string {
	return formOf(id.Implementation).deliverable(typed)
}

// Shown is the identifier as people write it.
func (id ID) Shown() string {
	return formOf(id.Implementation).shown(id.Identifier)
}

// Prefixed is the id as Discovery takes it back: with the prefix that says its kind, but for
// identifiers that need none.
func (id ID) Prefixed() string {
	switch id.Implementation {
	case Email, OpenID, OAuth:
		return id.Identifier
	case Jabber:
		return jabber.prefix + ":" + id.Identifier
	}
	return id.Implementation + ":" + id.Identifier
}

// Typed is what a person types to sign in with the id: of one at a provider what leads there.
func (id ID) Typed() string {
	switch id.Implementation {
	case OpenID:
		issuer, _, _ := strings.Cut(id.Identifier, " ")
		return issuer
	case OAuth:
		name, _, _ := strings.Cut(id.Identifier, ":")
		return name + ":"
	}
	return id.Prefixed()
}

// Masked shows enough of the identifier for its owner to recognize it, and nothing to
// somebody who looks over the shoulder.
func (id ID) Masked() string {
	return formOf(id.Implementation).masked(id.Identifier)
}

// Domain is what many identifiers have in common: messages to one domain share limits and
// the slots of senders.
func (id ID) Domain() string {
	return formOf(id.Implementation).domain(id)
}

// BudgetKey is the same for ids whose messages end up in one place. They share the
// limits on messages under it, but never an account.
func (id ID) BudgetKey() string {
	return formOf(id.Implementation).budgetKey(id.Identifier)
}
