// What is told of backups and of the size and age of what is kept, as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "messages/store_care.hpp"

namespace keyportal {

nlohmann::json to_json(const backup_info& info);
nlohmann::json to_json(const backup_state& state);
nlohmann::json to_json(const retention_state& state);
/// What a person should see to: the alarms of both, sentences. Either may be null.
nlohmann::json alarms_of(const backup_state* backups, const retention_state* retention);

} // namespace keyportal
