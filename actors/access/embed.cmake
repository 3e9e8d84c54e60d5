# cmake -DOUT=… -DFILE=… -P embed.cmake: writes a C++ file with the list, each line between two ends of line.
file(READ ${FILE} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUT} "// Made by actors/access/embed.cmake.\n#include <string_view>\n\n"
  "namespace keyportal {\nnamespace {\nconstexpr char text[] = {'\\n',${bytes}};\n}\n"
  "std::string_view common_passwords() { return {text, sizeof text}; }\n} // namespace keyportal\n")
