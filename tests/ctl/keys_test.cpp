#include "ctl/keys.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace ezio;
using namespace ezio::ctl;

namespace
{

using presses = std::vector<key_press>;

key_press letter(char c)
{
	return {key::character, c};
}

presses all(std::string typed)
{
	return take_keys(typed, true);
}

} // namespace

TEST_CASE("keys are told apart, also when a sequence comes in pieces")
{
	std::string typed = "j/\x1b[A\x1bOB\x1b[6~q\n\r\x7f\f\t";
	CHECK(take_keys(typed) ==
		presses{letter('j'), letter('/'), {key::up}, {key::down}, {key::page_down}, letter('q'), {key::enter},
			{key::enter}, {key::erase}, {key::redraw}, {key::other}});
	CHECK(typed.empty());
	typed = "\x1b";
	CHECK(take_keys(typed).empty());
	typed += "[";
	CHECK(take_keys(typed).empty());
	typed += "B";
	CHECK(take_keys(typed) == presses{{key::down}});
	CHECK(all("\xc3\xbc") == presses{letter('\xc3'), letter('\xbc')});
}

TEST_CASE("an escape is a key of its own if nothing follows it")
{
	CHECK(all("\x1b") == presses{{key::escape}});
	CHECK(all("\x1b\x1b[F") == presses{{key::escape}, {key::end}});
	CHECK(all("\x1bq") == presses{{key::escape}, letter('q')});
	// The rest of a sequence that never came is nothing that somebody has typed.
	CHECK(all("\x1b[") == presses{{key::other}});
}

TEST_CASE("a key that is not known is one key, whatever it sends, and never an escape or a letter")
{
	CHECK(all("\x1b[15~j") == presses{{key::other}, letter('j')});
	CHECK(all("\x1b[1;5Dq") == presses{{key::other}, letter('q')});
	CHECK(all("\x1b[[Aq") == presses{{key::other}, letter('q')});
	CHECK(all("\x1bOPq") == presses{{key::other}, letter('q')});
	CHECK(all("\x1b[?1;2cq") == presses{{key::other}, letter('q')});
}

TEST_CASE("a sequence without an end does not grow without one")
{
	std::string typed = "\x1b[" + std::string(1000, '1');
	CHECK_FALSE(take_keys(typed).empty());
	CHECK(typed.empty());
}

TEST_CASE("letters scroll like cursor keys, and nothing leaves the list")
{
	CHECK(movement_of(letter('G')) == key::end);
	CHECK(movement_of({key::page_up}) == key::page_up);
	CHECK(movement_of(letter('x')) == key::other);
	CHECK(movement_of({key::left}) == key::other);
	CHECK(scrolled(3, key::up, 10, 20) == 2);
	CHECK(scrolled(0, key::up, 10, 20) == 0);
	CHECK(scrolled(3, key::page_up, 10, 20) == 0);
	CHECK(scrolled(3, key::page_down, 10, 20) == 13);
	CHECK(scrolled(13, key::page_down, 10, 20) == 20);
	CHECK(scrolled(20, key::down, 10, 20) == 20);
	CHECK(scrolled(7, key::end, 10, 20) == 20);
	CHECK(scrolled(7, key::home, 10, 20) == 0);
	CHECK(scrolled(7, key::other, 10, 20) == 7);
}
