#include "actors/settings.hpp"

#include "actors/thread_name.hpp"

#include <utility>

namespace ezio
{

settings_actor::behavior_type settings(
	settings_actor::stateful_pointer<settings_state> self, std::shared_ptr<settings_service> service)
{
	name_own_thread(*self, "settings");
	self->state.service = std::move(service);
	return {
		[self](get_atom, std::vector<std::string> const &keys) { return self->state.service->rows(keys); },
		[self](set_atom, set_request const &request) {
			return self->state.service->set(request.key, request.value, request.save);
		},
		[self](reload_atom) { return self->state.service->reload(); },
		[self](stop_atom) { self->quit(); },
	};
}

} // namespace ezio
