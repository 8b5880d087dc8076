#pragma once

#include "actors/core/error.hpp"

#include <cassert>
#include <optional>
#include <utility>
#include <variant>

namespace ezio
{

/// A value, or the error that prevented it. Reading the wrong one is a programming mistake (assertion).
template <class T>
class [[nodiscard]] result
{
public:
	result(T value) : m_state(std::in_place_index<0>, std::move(value)) {}
	result(error failure) : m_state(std::in_place_index<1>, std::move(failure)) {}

	bool has_value() const { return m_state.index() == 0; }
	explicit operator bool() const { return has_value(); }

	T &value() &
	{
		assert(has_value());
		return std::get<0>(m_state);
	}
	T const &value() const &
	{
		assert(has_value());
		return std::get<0>(m_state);
	}
	T &&value() &&
	{
		assert(has_value());
		return std::move(std::get<0>(m_state));
	}
	T &operator*() & { return value(); }
	T const &operator*() const & { return value(); }
	T &&operator*() && { return std::move(*this).value(); }
	T *operator->() { return &value(); }
	T const *operator->() const { return &value(); }

	error const &failure() const
	{
		assert(!has_value());
		return std::get<1>(m_state);
	}

private:
	std::variant<T, error> m_state;
};

/// Success, or an error.
template <>
class [[nodiscard]] result<void>
{
public:
	result() = default;
	result(error failure) : m_failure(std::move(failure)) {}

	bool has_value() const { return !m_failure.has_value(); }
	explicit operator bool() const { return has_value(); }
	error const &failure() const
	{
		assert(m_failure.has_value());
		return *m_failure;
	}

private:
	std::optional<error> m_failure;
};

} // namespace ezio
