"""Routes of signing in, under ``admin/`` and before the admin's own of the same paths."""

from django.urls import path

from dialer.sign_in import views

app_name = "sign_in"
urlpatterns = [
    path("login/", views.sign_in),
    path("logout/", views.sign_out),
    path("password_change/", views.change_password),
    path("two-factor/", views.two_factor, name="two_factor"),
    path("two-factor/code/", views.give_code, name="code"),
    path("two-factor/set-up/", views.set_up, name="set_up"),
]
