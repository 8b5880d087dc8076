#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace ezio::ctl
{

// Members of replies, which may lack them or have them of another type: nothing here fails or throws.

/// A member of an object; null if it lacks it, or is none.
nlohmann::json const &member(nlohmann::json const &object, char const *name);
/// Of a string what may be printed; of all else "-".
std::string text(nlohmann::json const &object, char const *name);
/// The same, and numbers and truth values as they are.
std::string value_text(nlohmann::json const &object, char const *name);
/// Of a number that is an integer from 0; of all else 0, or nothing.
std::uint64_t number(nlohmann::json const &object, char const *name);
std::optional<std::uint64_t> maybe_number(nlohmann::json const &object, char const *name);
/// Of a number; of all else 0.
double fraction(nlohmann::json const &object, char const *name);
/// Of a truth value; of all else false.
bool flag(nlohmann::json const &object, char const *name);

} // namespace ezio::ctl
