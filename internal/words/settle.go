package words

import "text/template/parse"

// Settle writes what a template says in one language, whoever reads it, into
// the template once and for all: `.T "key"` without values, `.Lang`, and the fields
// named in constants. What is left to work out for each page is what differs.
// Texts go through escape, for the place in which they stand.
func (l *Language) Settle(tree *parse.Tree, constants map[string]string, escape func(string) string) {
	if tree != nil && tree.Root != nil {
		l.settle(tree.Root, &settling{constants, escape, true})
	}
}

type settling struct {
	constants map[string]string
	escape    func(string) string
	top       bool // the dot is the page itself, not an element of a list
}

func (l *Language) settle(list *parse.ListNode, s *settling) {
	if list == nil {
		return
	}
	for i, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.ActionNode:
			if text, ok := l.settled(n, s); ok {
				list.Nodes[i] = &parse.TextNode{NodeType: parse.NodeText, Pos: n.Pos, Text: []byte(s.escape(text))}
			}
		case *parse.IfNode:
			l.settle(n.List, s)
			l.settle(n.ElseList, s)
		case *parse.RangeNode:
			l.settle(n.List, s.within())
			l.settle(n.ElseList, s)
		case *parse.WithNode:
			l.settle(n.List, s.within())
			l.settle(n.ElseList, s)
		}
	}
}

func (s *settling) within() *settling { return &settling{s.constants, s.escape, false} }

// settled returns the text of an action that is the same on every page.
func (l *Language) settled(n *parse.ActionNode, s *settling) (string, bool) {
	if len(n.Pipe.Cmds) != 1 || len(n.Pipe.Decl) > 0 {
		return "", false
	}
	args := n.Pipe.Cmds[0].Args
	name := pathOf(args[0], s.top)
	switch {
	case len(args) == 1 && name == "Lang":
		return l.Lang, true
	case len(args) == 1:
		text, ok := s.constants[name]
		return text, ok
	case len(args) == 2 && name == "T":
		key, ok := args[1].(*parse.StringNode)
		if !ok {
			return "", false
		}
		return l.T(key.Text), true
	}
	return "", false
}

// pathOf is a field of the page, such as "Brand.Name", or "".
func pathOf(node parse.Node, top bool) string {
	var path []string
	switch n := node.(type) {
	case *parse.FieldNode:
		if !top {
			return ""
		}
		path = n.Ident
	case *parse.VariableNode:
		if n.Ident[0] != "$" {
			return ""
		}
		path = n.Ident[1:]
	}
	text := ""
	for i, part := range path {
		if i > 0 {
			text += "."
		}
		text += part
	}
	return text
}
