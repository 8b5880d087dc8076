#pragma once

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace ezio
{

/// A new directory that is removed with everything in it.
class temp_dir
{
public:
	temp_dir()
	{
		std::string name = (std::filesystem::temp_directory_path() / "ezio-config-XXXXXX").string();
		REQUIRE(::mkdtemp(name.data()) != nullptr);
		m_path = name;
	}
	~temp_dir()
	{
		std::error_code ignored;
		std::filesystem::remove_all(m_path, ignored);
	}
	temp_dir(temp_dir const &) = delete;
	temp_dir &operator=(temp_dir const &) = delete;

	std::filesystem::path const &path() const { return m_path; }
	std::string file(std::string const &name) const { return (m_path / name).string(); }

	std::string write(std::string const &name, std::string const &text) const
	{
		std::ofstream out(m_path / name, std::ios::binary);
		out << text;
		out.close();
		REQUIRE(out);
		return file(name);
	}

private:
	std::filesystem::path m_path;
};

inline std::string read_all(std::string const &path)
{
	std::ifstream in(path, std::ios::binary);
	REQUIRE(in);
	std::ostringstream out;
	out << in.rdbuf();
	return out.str();
}

} // namespace ezio
