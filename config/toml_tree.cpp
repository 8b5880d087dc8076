#include "config/toml_tree.hpp"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
// Of some texts ("[{a]") toml++ asserts what it refuses in order a few lines further down; with NDEBUG it
// even has the compiler assume it. Neither may happen for a file that somebody wrote: only the refusal
// counts.
#ifdef NDEBUG
#undef NDEBUG
#define EZIO_HAS_NDEBUG
#endif
#define TOML_ASSERT(expr) static_assert(true)
// Asked whether a letter such as U+00E6 is white space, its table of characters ends in what it takes for
// unreachable. The answer is no.
#include <toml++/impl/forward_declarations.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE return false
#include <toml++/impl/unicode.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE __builtin_unreachable()
#include <toml++/toml.h>
#ifdef EZIO_HAS_NDEBUG
#define NDEBUG
#undef EZIO_HAS_NDEBUG
#endif

#include <algorithm>

namespace ezio
{
namespace
{

toml_position place(toml::source_position const &p)
{
	return {p.line, p.column};
}

// Recursion is bounded: check_nesting has passed.
toml_node copy(toml::node const &from)
{
	toml_node to;
	to.begin = place(from.source().begin);
	to.end = place(from.source().end);
	if (auto const *flag = from.as_boolean()) {
		to.what = toml_node::kind::boolean;
		to.flag = flag->get();
	} else if (auto const *number = from.as_integer()) {
		to.what = toml_node::kind::integer;
		to.number = number->get();
	} else if (auto const *text = from.as_string()) {
		to.what = toml_node::kind::string;
		to.text = text->get();
	} else if (auto const *array = from.as_array()) {
		to.what = toml_node::kind::array;
		for (auto const &item : *array)
			to.items.push_back(copy(item));
	} else if (auto const *table = from.as_table()) {
		to.what = toml_node::kind::table;
		for (auto const &[key, value] : *table) {
			to.members.push_back({std::string(key.str()), place(key.source().begin), copy(value)});
		}
		std::stable_sort(to.members.begin(), to.members.end(),
			[](toml_member const &a, toml_member const &b) { return a.key_at < b.key_at; });
	}
	return to;
}

/// Follows brackets and dotted names of a text, without building anything, up to where they are too deep.
/// What is no TOML is left to the parser, which reads to its first fault only.
class nesting_scan
{
public:
	explicit nesting_scan(std::string_view text) : m_text(text) {}

	std::optional<toml_fault> run()
	{
		while (m_at < m_text.size()) {
			if (!step())
				return toml_fault{{m_line, 0},
					"brackets or dotted names are nested deeper than " + std::to_string(toml_nesting_max)};
		}
		return std::nullopt;
	}

private:
	bool step()
	{
		auto const c = m_text[m_at];
		if (c == '"' || c == '\'') {
			skip_string(c);
			return true;
		}
		if (c == '#') {
			m_at = std::min(m_text.find('\n', m_at), m_text.size());
			return true;
		}
		++m_at;
		switch (c) {
		case '\n':
			++m_line;
			m_dots = 0;
			return true;
		case '.':
			return ++m_dots <= toml_nesting_max;
		case '[':
		case '{':
			m_dots = 0;
			return ++m_depth <= toml_nesting_max;
		case ']':
		case '}':
			m_dots = 0;
			m_depth -= m_depth == 0 ? 0 : 1;
			return true;
		case ',':
		case '=':
			m_dots = 0;
			return true;
		default:
			return true;
		}
	}

	bool is_triple(char quote) const { return m_text.substr(m_at).starts_with(std::string(3, quote)); }

	void skip_string(char quote)
	{
		if (is_triple(quote)) {
			skip_long_string(quote);
			return;
		}
		for (++m_at; m_at < m_text.size() && m_text[m_at] != '\n'; ++m_at) {
			if (m_text[m_at] == quote) {
				++m_at;
				return;
			}
			if (quote == '"' && m_text[m_at] == '\\' && m_at + 1 < m_text.size() && m_text[m_at + 1] != '\n')
				++m_at;
		}
	}

	void skip_long_string(char quote)
	{
		m_at += 3;
		for (; m_at < m_text.size() && !is_triple(quote); ++m_at) {
			if (quote == '"' && m_text[m_at] == '\\' && m_at + 1 < m_text.size())
				++m_at;
			if (m_text[m_at] == '\n')
				++m_line;
		}
		m_at = std::min(m_at + 3, m_text.size());
		// The string itself may end with one or two quotes.
		for (int i = 0; i < 2 && m_at < m_text.size() && m_text[m_at] == quote; ++i)
			++m_at;
	}

	std::string_view m_text;
	std::size_t m_at = 0;
	std::uint32_t m_line = 1;
	std::uint32_t m_depth = 0;
	std::uint32_t m_dots = 0;
};

} // namespace

toml_outcome parse_toml(std::string_view text)
{
	toml_outcome outcome;
	outcome.fault = nesting_scan(text).run();
	if (outcome.fault)
		return outcome;
	auto const parsed = toml::parse(text);
	if (parsed) {
		outcome.root = copy(parsed.table());
	} else {
		auto const &e = parsed.error();
		outcome.fault = toml_fault{place(e.source().begin), std::string(e.description())};
	}
	return outcome;
}

toml_node const *find_member(toml_node const &table, std::string_view key)
{
	for (auto const &member : table.members) {
		if (member.key == key)
			return &member.value;
	}
	return nullptr;
}

bool is_same(toml_node const &a, toml_node const &b)
{
	if (a.what != b.what || a.flag != b.flag || a.number != b.number || a.text != b.text)
		return false;
	if (a.items.size() != b.items.size() || a.members.size() != b.members.size())
		return false;
	for (std::size_t i = 0; i < a.items.size(); ++i) {
		if (!is_same(a.items[i], b.items[i]))
			return false;
	}
	return std::all_of(a.members.begin(), a.members.end(), [&b](toml_member const &member) {
		auto const *other = find_member(b, member.key);
		return other != nullptr && is_same(member.value, *other);
	});
}

} // namespace ezio
