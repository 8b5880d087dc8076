#include "actors/admission.hpp"

#include "actors/thread_name.hpp"

namespace ezio
{

admission_actor::behavior_type admission(admission_actor::stateful_pointer<admission_state> self)
{
	name_own_thread(*self, "admission");
	return {
		[](admit_atom, addition_ptr const &addition) -> void_reply { return addition->examine(); },
		[self](stop_atom) { self->quit(); },
	};
}

} // namespace ezio
