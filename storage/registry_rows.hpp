// What users, client keys, policies and prices have in common: a name, and a row under it. For the registry's own files only.
#pragma once

#include <string>
#include <type_traits>

#include "messages/registry.hpp"
#include "storage/keys.hpp"

namespace keyportal::storage {

/// What tells one from the others of its kind; its row lies under it.
template <class T>
auto& name_of(T& image) {
  if constexpr (std::is_same_v<std::remove_const_t<T>, policy>)
    return image.name;
  else
    return image.id;
}

inline user_key row_key_of(const user& image) { return {image.id}; }
inline client_key_key row_key_of(const client_key& image) { return {image.id}; }
inline policy_key row_key_of(const policy& image) { return {image.name}; }
inline price_key row_key_of(const price& image) { return {image.id}; }
inline access_record_key row_key_of(const access_record& image) { return {image.id}; }

/// Either image of a change: it has one at least.
template <class T>
const T& any_of(const change_of<T>& change) {
  return change.after ? *change.after : *change.before;
}

} // namespace keyportal::storage
